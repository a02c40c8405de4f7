import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ListenAddress } from '../config/config.ts';
import { type OpenPort, openPort } from './port.ts';

/** There are a few scrapers and probes, each connected for a moment. */
const MAX_CONNECTIONS = 50;
/** A client that neither sends nor reads is disconnected after this time, in milliseconds: Prometheus's default time-out. */
const SILENT_MS = 10_000;

/**
 * Opens METRICS_PORT. No plugin protects it, so each connection gets one answer, and a connection too many closes the oldest:
 * a flood needs longer to displace a probe than the probe needs.
 *
 * @param answerEarly As for {@link openPort}.
 */
export async function openMetricsPort(
  address: Pick<ListenAddress, 'hosts' | 'port'>,
  answerEarly: (request: IncomingMessage, response: ServerResponse) => boolean,
): Promise<OpenPort> {
  const port = await openPort(address, answerEarly, { prefix: 'METRICS_' });
  const { server } = port;
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.setTimeout(SILENT_MS, () => socket.destroy());
    if (open.size <= MAX_CONNECTIONS) return;
    const [oldest] = open;
    open.delete(oldest as Socket);
    oldest?.destroy();
  });
  port.closeAfterAnswers();
  server.maxRequestsPerSocket = 1;
  server.on('dropRequest', (_request, socket) => socket.destroy());
  return port;
}

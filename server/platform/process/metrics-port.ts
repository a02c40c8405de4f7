import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ListenAddress } from '../config/config.ts';
import { type OpenPort, openPort } from './port.ts';

/** A few scrapers and probes, each for a moment. */
const MAX_CONNECTIONS = 50;
/** A client that sends and reads nothing gets this long, in milliseconds: Prometheus gives up after 10 s by default. */
const SILENT_MS = 10_000;

/**
 * Opens METRICS_PORT. No plugin stands before its answers, so each connection gets one, and where there are too many the
 * oldest is closed for the new one: a flood takes more time to come round than a probe needs.
 *
 * @param answerEarly As for {@link openPort}.
 */
export async function openMetricsPort(
  address: Pick<ListenAddress, 'hosts' | 'port'>,
  answerEarly: (request: IncomingMessage, response: ServerResponse) => boolean,
): Promise<OpenPort> {
  const port = await openPort(address, answerEarly, false, 'METRICS_');
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

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../logging/logger.ts';
import type { OpenPort } from './port.ts';
import type { Running } from './start.ts';

/** While requests finish, connections that have become idle are closed this often, in milliseconds. */
const SWEEP_MS = 50;
/** Of more open requests only this many are listed. */
const MAX_NAMED = 10;

/**
 * Serves for `delayMs` more, so that load balancers notice; then accepts no new connections, lets requests in flight finish,
 * and closes what start-up opened, last first.
 *
 * The lifecycle is `draining` already: `/ready` says 503 and every answer carries `Connection: close`. Idle connections
 * stay open during the delay: a request may be on its way over one.
 */
export async function drain(
  port: OpenPort | undefined,
  running: Running,
  log: Logger | undefined,
  delayMs: number,
): Promise<void> {
  if (delayMs > 0) await sleep(delayMs);

  if (port) {
    // The application is not loaded, so it will not answer the requests that wait for it.
    if (!running.app) {
      port.handOver((_request, response) =>
        response.writeHead(503, { 'retry-after': '1', connection: 'close' }).end(),
      );
    }
    const closed = port.stopListening();
    const sweep = setInterval(() => {
      port.closeSilentConnections();
      // To Node a connection is idle once its answer has ended, although its client still reads it.
      if (!running.app?.connections.flushing) port.server.closeIdleConnections();
    }, SWEEP_MS);
    await closed;
    clearInterval(sweep);
  }

  // If one fails, the next is closed all the same.
  for (const [what, end] of [
    ['application', () => running.app?.close()],
    ['clock', () => running.platform?.clock.end()],
    ['listener', () => running.platform?.listener.close()],
    ['database pool', () => running.platform?.database.close()],
  ] as const) {
    try {
      await end();
    } catch (error) {
      log?.warn({ err: error }, `closing the ${what} failed`);
    }
  }
}

/** What a drain waits for: as fields and as a sentence for the log. */
export function stillOpen({ app, platform }: Running) {
  const requests = app?.connections.unanswered() ?? [];
  const connections = app?.connections.open ?? 0;
  // An answer that has begun and has not ended is a stream, or one that is read slowly.
  const streams = requests.filter(({ begun }) => begun).length;
  const { total = 0, idle = 0 } = platform?.database.stats() ?? {};
  const named = requests
    .slice(0, MAX_NAMED)
    .map(({ method, path, ageMs }) => `${method} ${path} for ${ageMs} ms`);
  if (requests.length > MAX_NAMED) named.push(`${requests.length - MAX_NAMED} more`);
  const counts = [
    `${connections} connections`,
    `${requests.length} requests (${streams} of them streams)`,
    `${total - idle} database connections in use`,
  ];
  return {
    details: { connections, streams, requests, databaseConnectionsInUse: total - idle },
    summary: `${counts.join(', ')}${named.length > 0 ? `: ${named.join('; ')}` : ''}`,
  };
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from './monitoring/logger.ts';
import type { OpenPort } from './port.ts';
import type { Running } from './start.ts';

/** While requests finish, connections that have become idle are closed this often, in milliseconds. */
const SWEEP_MS = 50;

/**
 * From draining to stopped: serves on for `delayMs`, so that whoever routes traffic here learns of it; then takes no new
 * connections, lets requests in flight finish, and ends what start-up began, last first.
 *
 * The lifecycle is `draining` already: `/ready` says 503 and every answer carries `Connection: close`. Idle connections
 * stay open during the delay, because closing one may cross the next request that is on its way over it.
 */
export async function drain(parts: {
  port: OpenPort | undefined;
  running: Running;
  log: Logger | undefined;
  delayMs: number;
}): Promise<void> {
  const { port, running, log, delayMs } = parts;
  if (delayMs > 0) await sleep(delayMs);

  if (port) {
    // Told to stop before the application was loaded: nobody will answer what has been waiting for it.
    if (!running.app)
      port.handOver((_request, response) => response.writeHead(503, { 'retry-after': '1' }).end());
    const closed = port.stopListening();
    const sweep = setInterval(() => port.closeIdleConnections(), SWEEP_MS);
    await closed;
    clearInterval(sweep);
  }

  // One that fails must not keep the next from ending.
  for (const [what, end] of [
    ['application', () => running.app?.close()],
    ['database pool', () => running.database?.close()],
    ['embedded PostgreSQL', () => running.releaseEmbedded?.()],
  ] as const) {
    try {
      await end();
    } catch (error) {
      log?.warn({ err: error }, `the ${what} did not end well`);
    }
  }
}

import type { Config } from '../config/config.ts';
import { ANY_ADDRESS, LOOPBACK } from '../config/values.ts';
import { about } from './about.ts';
import type { StartParts } from './start.ts';

/** Whether a person develops on this machine: then only they see the terminal and reach the port. */
export function isAtOwnTerminal({ environment, listen }: Config): boolean {
  const isLoopback = listen.hosts.every((host) => LOOPBACK.includes(host));
  return process.stdout.isTTY && environment === 'development' && isLoopback;
}

/** A path of this server that the terminal shows. */
export interface Link {
  readonly label: string;
  readonly path: string;
}

/**
 * Writes the address to open, to the terminal or to the log.
 *
 * @param links For the terminal alone: their paths hold tokens, which are never logged.
 */
export function announce({ loaded, logger, port }: StartParts, links: readonly Link[]): void {
  const { listen, publicUrl } = loaded.config;
  const named =
    listen.hosts.find((host) => !ANY_ADDRESS.includes(host) && !LOOPBACK.includes(host)) ?? 'localhost';
  const address = publicUrl ?? `http://${named.includes(':') ? `[${named}]` : named}:${port.port}`;
  const moved = port.insteadOf === undefined ? '' : ` (port ${port.insteadOf} is in use)`;
  const readyMs = Math.round(performance.now());
  if (!process.stdout.isTTY) {
    logger.log.info({ address, readyMs, version: about.version }, `ready: ${address}${moved}`);
    return;
  }
  // What happened before stands above it.
  logger.flush();
  const further = links.map(({ label, path }) => `  ${label}: http://localhost:${port.port}${path}\n`);
  process.stdout.write(
    `\n  ${about.name} ${about.version} is ready after ${readyMs} ms\n  → ${address}${moved}\n` +
      `${further.join('')}\n`,
  );
}

import type { IncomingMessage } from 'node:http';
import { pathOf } from './problem.ts';

/** Paths at which a connection may leave HTTP, such as those of WebSockets. Who serves one adds it. */
export const upgradePaths = new Set<string>();

/**
 * For `createServer`: any other request is answered as if it had not asked (RFC 9110, 7.8). Java's client, for one, sends
 * `Upgrade: h2c` by itself, and what leaves HTTP has neither a body nor a second request.
 */
export const mayUpgrade = ({ url = '' }: IncomingMessage): boolean => upgradePaths.has(pathOf(url));

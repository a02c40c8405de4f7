import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './server.ts';

const HTML = { accept: 'text/html' };

/**
 * What answers, and with what: the probes under both their names, the page, a file of it, and the status.
 *
 * @param url Of the server, which serves the built client.
 * @returns Path → status; the file stands as `asset`.
 */
export async function answersOf(url: string): Promise<Record<string, number>> {
  const [asset] = await readdir(join(ROOT, 'dist', 'client', 'assets'));
  const paths = {
    '/live': '/live',
    '/startup': '/startup',
    '/ready': '/ready',
    '/health': '/health',
    '/api/monitoring/live': '/api/monitoring/live',
    '/api/monitoring/ready': '/api/monitoring/ready',
    '/api/monitoring/health': '/api/monitoring/health',
    '/': '/',
    asset: `/assets/${asset}`,
    '/api/status': '/api/status',
  };
  const answers = await Promise.all(
    Object.entries(paths).map(async ([name, path]) => {
      const answer = await fetch(url + path, { headers: HTML, signal: AbortSignal.timeout(60_000) });
      await answer.arrayBuffer();
      return [name, answer.status];
    }),
  );
  return Object.fromEntries(answers);
}

/** The row of the table of states: what the probes say while everything else is answered. */
export function answers(startup: number, ready: number): Record<string, number> {
  return {
    '/live': 200,
    '/startup': startup,
    '/ready': ready,
    '/health': ready,
    '/api/monitoring/live': 200,
    '/api/monitoring/ready': ready,
    '/api/monitoring/health': ready,
    '/': 200,
    asset: 200,
    '/api/status': 200,
  };
}

/** Matches a port as a whole number: a longer one, such as a count of bytes, may contain its digits. */
export const portIn = (port: number) => new RegExp(`(?<![\\d.])${port}(?!\\d)`);

/** Everything that a stranger may read about the state of a server, as one text. */
export async function toldToStrangers(url: string): Promise<string> {
  const texts = ['/api/status', '/ready', '/health', '/startup', '/live'].map(async (path) =>
    (await fetch(url + path)).text(),
  );
  return (await Promise.all(texts)).join('\n');
}

/**
 * `npm run test:production-ready [<address>]`: what a running server lacks for production, and what to do.
 *
 * Without an address it asks the server of this clone, with this clone's port and key. Elsewhere the key comes from
 * INTERNAL_API_KEY, which must be set in this terminal. Exit code 1 if something fails or the server cannot be reached.
 */

import type { ProductionReadiness, ReadinessItem } from '../contracts/operations/deployment.ts';
import { loadConfig } from '../server/platform/config/config.ts';
import { settings } from '../server/settings.ts';

const USAGE = 'Usage: npm run test:production-ready [-- https://your.address]';
const PATH = '/api/monitoring/production-readiness';
/** A deployment that sleeps may have to wake first. In milliseconds. */
const TIMEOUT_MS = 20_000;
const SIGNS = { pass: 'ok  ', warn: 'warn', fail: 'FAIL' } as const;
const WIDTH = 100;

/** Printed without its stack. */
class UsageError extends Error {}

async function main([given, ...more]: string[]): Promise<number> {
  if (more.length > 0 || given?.startsWith('-')) throw new UsageError(USAGE);
  // The server that is asked has the database; here any address will do.
  const env = { DATABASE_URL: 'postgres://127.0.0.1', ...process.env };
  const own = given === undefined ? loadConfig(settings, env).config : undefined;
  const base = URL.parse(given ?? `http://localhost:${own?.listen.port}`);
  if (base === null || !/^https?:$/.test(base.protocol))
    throw new UsageError(`'${given}' is not an address.\n${USAGE}`);
  // The key that this clone made for itself is sent to no other server.
  const key = process.env.INTERNAL_API_KEY?.split(',')[0]?.trim() || own?.internalApiKeys[0];
  if (key === undefined) {
    throw new UsageError(
      `Set INTERNAL_API_KEY to the operators' key of ${base.origin}: only operators may ask.`,
    );
  }
  const { instance, items } = await ask(base, key);
  const all = [...items, ...fromOutside(base)];
  process.stdout.write(`${base.origin} · ${instance}\n\n${table(all)}\n\n${summary(all)}\n`);
  return all.some(({ status }) => status === 'fail') ? 1 : 0;
}

async function ask(base: URL, key: string): Promise<ProductionReadiness> {
  let answer: Response;
  try {
    answer = await fetch(new URL(PATH, base), {
      // The key is sent to this address only.
      redirect: 'manual',
      headers: { authorization: `Bearer ${key}`, accept: 'application/json' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    throw new UsageError(
      `${base.origin} cannot be reached: ${cause?.code ?? message}. Is the server running there?`,
    );
  }
  const text = await answer.text();
  if (answer.status === 401) {
    throw new UsageError(
      `${base.origin} refuses this key. Set INTERNAL_API_KEY to the one that the server was started with.`,
    );
  }
  if (answer.status !== 200) {
    throw new UsageError(`${new URL(PATH, base)} answers with ${answer.status}: ${text.slice(0, 300)}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${base.origin} does not answer like this server. Is the address right?`);
  }
}

/** Findings that only a client can make. */
function fromOutside({ protocol, hostname }: URL): ReadinessItem[] {
  const title = 'Connection';
  if (protocol === 'https:') {
    return [
      { name: 'connection', title, status: 'pass', detail: 'It is encrypted, and its certificate is valid.' },
    ];
  }
  // A loopback connection cannot be read by others, and says nothing about how visitors connect.
  if (/^(localhost|127\..*|\[::1\])$/.test(hostname)) return [];
  return [
    {
      name: 'connection',
      title,
      status: 'fail',
      detail: "It is not encrypted, and the operators' key was just sent over it.",
      remedy: 'Use the https:// address, and give the server another key.',
    },
  ];
}

function table(items: readonly ReadinessItem[]): string {
  const width = Math.max(...items.map(({ title }) => title.length));
  const lines = items.map(({ status, title, detail, remedy }) => {
    const indent = ' '.repeat(width + 8);
    const found = wrapped(detail, indent);
    return `${SIGNS[status]}  ${title.padEnd(width)}  ${found}${remedy ? `\n${indent}→ ${wrapped(remedy, `${indent}  `)}` : ''}`;
  });
  return lines.join('\n');
}

/** Wraps a text; the first line has no indent. */
function wrapped(text: string, indent: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) as string;
    if (last !== '' && indent.length + last.length + word.length >= WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.join(`\n${indent}`);
}

function summary(items: readonly ReadinessItem[]): string {
  const count = (status: ReadinessItem['status']) => items.filter((item) => item.status === status).length;
  return `${count('pass')} passed, ${count('warn')} warnings, ${count('fail')} failed`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // The message of a ConfigError is complete as well.
  const known = error instanceof UsageError || (error as Error).name === 'ConfigError';
  console.error(known ? (error as Error).message : error);
  process.exitCode = 1;
}

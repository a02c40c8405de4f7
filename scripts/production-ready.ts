/**
 * `npm run test:production-ready [<address>]`: what a running server says is missing for production, and what to do.
 *
 * Without an address the server of this clone is asked, on its own port and with its own key. Elsewhere the key comes
 * from INTERNAL_API_KEY, which must be set in this terminal. Ends with 1 when something fails, or cannot be asked.
 */

import type { ProductionReadiness, ReadinessItem } from '../contracts/operations/deployment.ts';
import { loadConfig } from '../server/platform/config/config.ts';
import { settings } from '../server/settings.ts';

const USAGE = 'Usage: npm run test:production-ready [-- https://your.address]';
const PATH = '/api/monitoring/production-readiness';
/** A deployment that sleeps may have to wake first. In milliseconds. */
const PATIENCE = 20_000;
const SIGNS = { pass: 'ok  ', warn: 'warn', fail: 'FAIL' } as const;
const WIDTH = 100;

/** Why it could not be asked; the message is all that is to be said. */
class Unasked extends Error {}

async function main([given, ...more]: string[]): Promise<number> {
  if (more.length > 0 || given?.startsWith('-')) throw new Unasked(USAGE);
  const own = given === undefined ? loadConfig(settings).config : undefined;
  const base = URL.parse(given ?? `http://localhost:${own?.listen.port}`);
  if (base === null || !/^https?:$/.test(base.protocol))
    throw new Unasked(`${given} is not an address.\n${USAGE}`);
  // What this clone has made for itself opens nothing elsewhere, and is not sent there.
  const key = process.env.INTERNAL_API_KEY?.split(',')[0]?.trim() || own?.internalApiKeys[0];
  if (key === undefined) {
    throw new Unasked(
      `Set INTERNAL_API_KEY to the operators' key of ${base.origin}; without one nobody is told what is missing there.`,
    );
  }
  const { instance, items } = await ask(base, key);
  const all = [...items, ...fromOutside(base)];
  process.stdout.write(`${base.origin} · ${instance}\n\n${table(all)}\n\n${sum(all)}\n`);
  return all.some(({ status }) => status === 'fail') ? 1 : 0;
}

async function ask(base: URL, key: string): Promise<ProductionReadiness> {
  let answer: Response;
  try {
    answer = await fetch(new URL(PATH, base), {
      // A key goes where it was told to go, and no further.
      redirect: 'manual',
      headers: { authorization: `Bearer ${key}`, accept: 'application/json' },
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch (error) {
    const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    throw new Unasked(
      `${base.origin} cannot be asked: ${cause?.code ?? message}. Is the server running there?`,
    );
  }
  const text = await answer.text();
  if (answer.status === 401) {
    throw new Unasked(
      `${base.origin} does not take this key. Set INTERNAL_API_KEY to the one that it was started with.`,
    );
  }
  if (answer.status !== 200) {
    throw new Unasked(`${new URL(PATH, base)} answers with ${answer.status}: ${text.slice(0, 300)}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Unasked(`${base.origin} does not answer as this server does. Is the address right?`);
  }
}

/** What can only be seen from here. */
function fromOutside({ protocol, hostname }: URL): ReadinessItem[] {
  const title = 'The way there';
  if (protocol === 'https:') {
    return [{ name: 'way', title, status: 'pass', detail: 'It is encrypted, and its certificate is valid.' }];
  }
  // Within a machine nobody listens in; nor says anything about how visitors come.
  if (/^(localhost|127\..*|\[::1\])$/.test(hostname)) return [];
  return [
    {
      name: 'way',
      title,
      status: 'fail',
      detail: "It is not encrypted, and the operators' key has just gone over it.",
      remedy: 'Ask the https:// address, and give the server another key.',
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

/** Lines of readable length, the first without its indent. */
function wrapped(text: string, indent: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) as string;
    if (last !== '' && indent.length + last.length + word.length >= WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.join(`\n${indent}`);
}

function sum(items: readonly ReadinessItem[]): string {
  const count = (status: ReadinessItem['status']) => items.filter((item) => item.status === status).length;
  return `${count('pass')} in order, ${count('warn')} to look at, ${count('fail')} that must be mended`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // A ConfigError says all that is to be said as well.
  const known = error instanceof Unasked || (error as Error).name === 'ConfigError';
  console.error(known ? (error as Error).message : error);
  process.exitCode = 1;
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FLAGS, MAIN } from '../../scripts/launcher/server.mjs';
import { keepPostgres } from '../../scripts/postgres/keep.mjs';
import { freePort, ROOT } from '../../tests/support/server.ts';
import { keep, print, type Table } from './results.ts';

const ROUNDS = 10;
/** After so long without requests a process has settled, in milliseconds. */
const SETTLE_MS = 1_500;

interface Run {
  /** Milliseconds from spawning to the first 200, by path. */
  first: Record<string, number>;
  /** Resident memory of the idle process, in MiB; undefined where the system does not tell. */
  memory: number | undefined;
}

interface Starter {
  name: string;
  args: string[];
  env: Record<string, string>;
  /** What is asked until it answers 200, in this order. */
  paths: string[];
}

/** Spawn to open, spawn to ready, and memory at rest, against bare Fastify's first answer. */
export async function startSuite(): Promise<void> {
  const postgres = await keepPostgres({
    folder: join(ROOT, '.data/bench-postgres'),
    database: 'bench',
    durable: false,
    log: () => {},
  });
  await postgres.ready;
  const env = { DATABASE_URL: postgres.url, NODE_ENV: 'production' };
  const paths = ['/live', '/ready'];
  const bare = [join(ROOT, 'lab/bench/contenders/bare-fastify.mjs')];
  const starters: Starter[] = [
    { name: 'bare Fastify', args: bare, env: {}, paths: ['/'] },
    { name: 'this server', args: [...FLAGS, MAIN], env, paths },
    {
      name: "without V8's compile cache",
      args: [...FLAGS, MAIN],
      env: { ...env, NODE_DISABLE_COMPILE_CACHE: '1' },
      paths,
    },
    { name: 'from its sources, not bundled', args: [...FLAGS, 'server/main.ts'], env, paths },
  ];
  const found = starters.map((): Run[] => []);
  // The first round fills the compile cache and does not count.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [at, starter] of starters.entries()) {
      const run = await spawned(starter);
      if (round > 0) found[at]?.push(run);
    }
  }
  await postgres.release();

  const first = (runs: Run[], path: string) => median(runs.map((run) => run.first[path] as number));
  const memory = (runs: Run[]) => median(runs.flatMap((run) => run.memory ?? []));
  const [reference = []] = found;
  const against = (value: number, other: number, unit: string) =>
    Number.isNaN(value) ? '' : `${value.toFixed(0)} ${unit} · ${(value / other).toFixed(2)}`;
  const table: Table = [
    ['', 'spawn to open', 'to ready', 'resident at rest'],
    ...starters.map(({ name, paths: [open = '', ready = open] }, at) => {
      const runs = found[at] ?? [];
      return [
        name,
        against(first(runs, open), first(reference, '/'), 'ms'),
        against(first(runs, ready), first(reference, '/'), 'ms'),
        against(memory(runs), memory(reference), 'MiB'),
      ];
    }),
  ];
  print(table);
  await keep('start', table, { found });
}

async function spawned({ args, env, paths }: Starter): Promise<Run> {
  const port = await freePort();
  const began = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const first: Record<string, number> = {};
  for (const path of paths) {
    while ((await statusOf(port, path)) !== 200) {
      if (child.exitCode !== null || performance.now() - began > 30_000) {
        throw new Error(`${args[0]} did not answer ${path}`);
      }
      await sleep(1);
    }
    first[path] = performance.now() - began;
  }
  await sleep(SETTLE_MS);
  const memory = residentMiB(child.pid as number);
  child.kill('SIGTERM');
  await once(child, 'exit');
  return { first, memory };
}

/** A bare request on a connection of its own: fetch would keep one open, and costs more than what is measured. */
function statusOf(port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', () => resolve(0));
  });
}

function residentMiB(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

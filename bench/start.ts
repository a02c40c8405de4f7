import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FLAGS, MAIN } from '../scripts/launcher/server.mjs';
import { startEmbeddedPostgres } from '../server/database/embedded.ts';
import { freePort, ROOT } from '../tests/support/server.ts';

const ROUNDS = 10;
/** After so long without requests a process has settled, in milliseconds. */
const SETTLE_MS = 1_500;

interface Run {
  /** Milliseconds from spawning to the first 200, by path. */
  first: Record<string, number>;
  /** Resident memory of the idle process, in MiB; undefined where the system does not tell. */
  memory: number | undefined;
}

/** Spawn to open, spawn to ready, and memory at rest, against bare Fastify's first answer. */
export async function startSuite(): Promise<void> {
  const postgres = await startEmbeddedPostgres({
    dataDir: join(ROOT, '.data/bench-postgres'),
    database: 'bench',
    durable: false,
    log: () => {},
  });
  const bare: Run[] = [];
  const ours: Run[] = [];
  // The first round fills the compile cache and does not count.
  for (let round = 0; round <= ROUNDS; round++) {
    const runs = [
      await spawned([join(ROOT, 'bench/contenders/bare-fastify.mjs')], {}, ['/']),
      await spawned([...FLAGS, MAIN], { DATABASE_URL: postgres.url }, ['/live', '/ready']),
    ] as const;
    if (round === 0) continue;
    bare.push(runs[0]);
    ours.push(runs[1]);
  }
  await postgres.release();

  const reference = median(bare.map((run) => run.first['/'] as number));
  const row = (what: string, ms: number) =>
    console.log(`${what.padEnd(44)} ${ms.toFixed(0).padStart(6)} ms   ${(ms / reference).toFixed(2)}`);
  console.log(`median of ${ROUNDS} rounds, interleaved${' '.repeat(14)} time      ratio`);
  row('bare Fastify: first 200', reference);
  row('this server: first 200 from /live', median(ours.map((run) => run.first['/live'] as number)));
  row('this server: first 200 from /ready', median(ours.map((run) => run.first['/ready'] as number)));
  const [memoryBare, memoryOurs] = [bare, ours].map((runs) => runs.flatMap((run) => run.memory ?? []));
  if (memoryBare?.length && memoryOurs?.length) {
    const ratio = median(memoryOurs) / median(memoryBare);
    console.log(
      `resident at rest: ${median(memoryBare).toFixed(0)} MiB against ${median(memoryOurs).toFixed(0)} MiB`.padEnd(
        56,
      ) + ratio.toFixed(2),
    );
  }
}

async function spawned(args: string[], env: Record<string, string>, paths: string[]): Promise<Run> {
  const port = await freePort();
  const began = performance.now();
  const child = spawn(process.execPath, args, {
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

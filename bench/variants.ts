/**
 * This server beside itself with something switched off: what observation costs, and what counting limits together costs.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../tests/support/server.ts';
import { type Contender, type Load, load, middle, startContender, withDatabase } from './contender.ts';
import { flightline } from './json.ts';
import { keep, print, type Table } from './results.ts';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 2);
const CONNECTIONS = 64;

interface Variant {
  name: string;
  env: Record<string, string>;
}

/** Log, metrics and percentiles on a small JSON answer, each switched off. */
export async function observeSuite(): Promise<void> {
  await withDatabase('observe', async (databaseUrl) => {
    const off = { LOG_LEVEL: 'silent', ENABLE_METRICS: 'false' };
    await compare('observe', databaseUrl, '/api/status', [
      { name: 'nothing observed', env: off },
      // The line of this route is one for `debug`.
      { name: 'access log', env: { ...off, LOG_LEVEL: 'debug' } },
      { name: 'metrics and percentiles', env: { ...off, ENABLE_METRICS: 'true' } },
      { name: 'all of it', env: { LOG_LEVEL: 'debug', ENABLE_METRICS: 'true' } },
    ]);
  });
}

/** The stores of the rate limit, on a route that reads one row. */
export async function limitsSuite(): Promise<void> {
  await withDatabase('limits', async (databaseUrl) => {
    const variants: Variant[] = ['memory', 'postgres'].map((store) => ({
      name: store,
      env: { RATE_LIMIT_STORE: store, LOG_LEVEL: 'warn' },
    }));
    const redisPort = await freePort();
    const redis = existsSync('/usr/bin/redis-server')
      ? spawn('redis-server', ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', ''], {
          stdio: 'ignore',
        })
      : undefined;
    if (redis) {
      const env = {
        RATE_LIMIT_STORE: 'redis',
        REDIS_URL: `redis://127.0.0.1:${redisPort}`,
        LOG_LEVEL: 'warn',
      };
      variants.push({ name: 'redis', env });
      await sleep(500);
    } else console.log('redis-server is not installed: that store is left out.');
    try {
      await compare('limits', databaseUrl, '/api/notes?limit=1', variants);
    } finally {
      redis?.kill();
    }
  });
}

async function compare(suite: string, databaseUrl: string, path: string, variants: Variant[]): Promise<void> {
  const ours = flightline(databaseUrl);
  const running: Contender[] = [];
  const found = new Map<string, Load[]>(variants.map(({ name }) => [name, []]));
  try {
    for (const { name, env } of variants) {
      running.push(await startContender({ ...ours, name, env: { ...ours.env, ...env } }));
    }
    for (const contender of running) await load(contender, { path, connections: CONNECTIONS, seconds: 3 });
    for (let round = 0; round < ROUNDS; round++) {
      for (const contender of running) {
        found
          .get(contender.name)
          ?.push(await load(contender, { path, connections: CONNECTIONS, seconds: SECONDS }));
      }
    }
  } finally {
    for (const contender of running) await contender.end();
  }
  const figures = [...found].map(([name, loads]) => ({
    name,
    rate: middle(loads.map(({ rate }) => rate)),
    cpu: middle(loads.map(({ cpuPerRequest }) => cpuPerRequest)),
  }));
  const [first] = figures;
  const table: Table = [
    ['', 'requests/s', 'ratio', 'CPU µs a request', 'ratio'],
    ...figures.map(({ name, rate, cpu }) => [
      name,
      `${rate.median.toFixed(0)} ± ${rate.spread.toFixed(0)}`,
      (rate.median / (first?.rate.median ?? 0)).toFixed(2),
      `${cpu.median.toFixed(1)} ± ${cpu.spread.toFixed(1)}`,
      (cpu.median / (first?.cpu.median ?? 0)).toFixed(2),
    ]),
  ];
  print(table);
  await keep(suite, table, Object.fromEntries(found));
}

/**
 * This server with some features off: the cost of observation, and of shared rate limits.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../tests/support/server.ts';
import { type Contender, startContender, withDatabase } from './contender.ts';
import { flightline } from './json.ts';
import { keep, print, type Table } from './results.ts';
import { rates, ratio, type Turn, takeTurns, times, withSpread } from './rounds.ts';

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
  try {
    const turns = new Map<string, Turn>();
    for (const { name, env } of variants) {
      const contender = await startContender({ ...ours, name, env: { ...ours.env, ...env } });
      running.push(contender);
      turns.set(name, { contender, path });
    }
    const found = await takeTurns(turns);
    const [first] = found.values();
    const table: Table = [
      ['', 'requests/s', 'ratio', 'CPU µs a request', 'ratio'],
      ...[...found].map(([name, loads]) => [
        name,
        withSpread(rates(loads)),
        ratio(rates(loads), rates(first)).toFixed(2),
        withSpread(times(loads), 1),
        ratio(times(loads), times(first)).toFixed(2),
      ]),
    ];
    print(table);
    await keep(suite, table, Object.fromEntries(found));
  } finally {
    for (const contender of running) await contender.end();
  }
}

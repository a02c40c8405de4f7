import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../../../tests/support/postgres.ts';
import { freePort, type SpawnedServer, startServer } from '../../../../tests/support/server.ts';
import { until } from '../../../../tests/support/until.ts';

const installed = spawnSync('redis-server', ['--version']).status === 0;
let database: TestDatabase;
let redisPort: number;
let redis: ChildProcess | undefined;

async function startRedis(): Promise<void> {
  const args = ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  redis = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  redis.stdout?.on('data', (chunk) => {
    said += chunk;
  });
  await until('Redis to start', () => said.includes('Ready to accept'));
}
async function stopRedis(): Promise<void> {
  redis?.kill('SIGKILL');
  if (redis) await once(redis, 'exit');
  redis = undefined;
}

beforeAll(async () => {
  database = await createDatabase();
  redisPort = await freePort();
  if (installed) await startRedis();
});
afterAll(async () => {
  await stopRedis();
  await database.drop();
});

// Where there is no Redis there is nothing real to test against; .ci/run installs one.
it.runIf(installed)(
  'two replicas count together, and each for itself while Redis is unreachable',
  async () => {
    const env = {
      DATABASE_URL: database.url,
      RATE_LIMIT_STORE: 'redis',
      REDIS_URL: `redis://127.0.0.1:${redisPort}`,
      RATE_LIMIT_MAX: '20',
      // Longer than the test: each part of it asks as another client.
      RATE_LIMIT_WINDOW_MS: '600000',
      TRUST_PROXY: 'loopback',
    };
    await using one = await startServer(env);
    await using other = await startServer(env);
    await Promise.all([one.ready(), other.ready()]);
    const ask = async ({ url }: SpawnedServer, client: string) => {
      const answer = await fetch(`${url}/api/nothing`, { headers: { 'x-forwarded-for': client } });
      await answer.body?.cancel();
      return answer;
    };
    /** How many of 60 requests pass, sent to both in turn. */
    const passing = async (client: string) => {
      let passed = 0;
      for (let asked = 0; asked < 60; asked++) {
        if ((await ask(asked % 2 ? one : other, client)).status === 404) passed++;
      }
      return passed;
    };
    let clients = 0;
    /** Until its connection stands, a replica counts for itself. */
    const together = () =>
      until('both to count together', async () => {
        const client = `203.0.113.${++clients}`;
        await ask(one, client);
        return (await ask(other, client)).headers.get('ratelimit')?.includes('r=18;');
      });
    await together();
    expect(await passing('192.0.2.1')).toBe(20);

    await stopRedis();
    // A window that is used up stays used up; the next one is each replica's own.
    expect(await passing('192.0.2.1')).toBe(0);
    expect(await passing('192.0.2.2')).toBe(40);
    expect(`${one.output()}${other.output()}`).toContain('the store of rate limits is unreachable');

    await startRedis();
    await together();
    expect(await passing('192.0.2.3')).toBe(20);
  },
);

it.runIf(installed)('/health shows whether Redis answers, and readiness does not depend on it', async () => {
  await using server = await startServer({
    DATABASE_URL: database.url,
    RATE_LIMIT_STORE: 'redis',
    REDIS_URL: `redis://127.0.0.1:${redisPort}`,
  });
  await server.ready();
  const row = async () => {
    const { checks } = (await (await fetch(`${server.url}/health`)).json()) as {
      checks: Record<string, object>;
    };
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    return checks.redis;
  };
  const becomes = (what: object) => expect.poll(row, { interval: 200 }).toMatchObject(what);
  await becomes({ status: 'passing', required: false });
  await stopRedis();
  // To anyone, so without an address.
  await becomes({
    status: 'failing',
    error: 'it cannot be reached: each process counts for itself meanwhile',
  });
  await startRedis();
  await becomes({ status: 'passing' });
  // Frozen: the connection stands, and nothing answers.
  redis?.kill('SIGSTOP');
  await becomes({ status: 'failing', error: 'no answer within 1000 ms' });
  redis?.kill('SIGCONT');
  await becomes({ status: 'passing' });
});

import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LogLine } from '#contracts/operations/log.ts';
import type { ProcessStatus } from '#contracts/operations/process.ts';
import type { TrafficHistory, TrafficReport } from '#contracts/operations/traffic.ts';
import { createTestApp } from '../../../tests/support/app.ts';
import { createDatabase, type TestDatabase } from '../../../tests/support/postgres.ts';
import { type SpawnedServer, startServer } from '../../../tests/support/server.ts';
import { until } from '../../../tests/support/until.ts';

const KEY = 'c2NyYXBlcnMtYW5kLW9wZXJhdG9ycy1oYXZlLWl0LTQ3MTE';
const operator = { authorization: `Bearer ${KEY}` };

let database: TestDatabase;
let server: SpawnedServer;
beforeAll(async () => {
  database = await createDatabase();
  server = await startServer({ DATABASE_URL: database.url, INTERNAL_API_KEY: KEY });
  await server.ready();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

async function read<Document>(path: string): Promise<Document> {
  const answer = await fetch(server.url + path, { headers: operator });
  expect(answer.status, path).toBe(200);
  return (await answer.json()) as Document;
}

test('what /metrics says is said beside the rest as well', async () => {
  const path = '/api/monitoring/metrics/prometheus';
  expect((await fetch(server.url + path)).status).toBe(401);
  const answer = await fetch(server.url + path, { headers: operator });
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const text = await answer.text();
  expect(text).toContain('http_server_request_duration_seconds_bucket');
  expect(text).toContain('app_alert_state{alert="high-cpu"');
});

test('the first lines of the log are there, from before this was loaded', async () => {
  // An answer may come sooner than what was written before it.
  const first = await until('a line of the log', () => /^{.*}$/m.exec(server.output())?.[0]);
  const { lines } = await read<{ lines: LogLine[] }>('/api/monitoring/logs?limit=1000');
  expect(lines[0]).toMatchObject({ seq: 1, message: JSON.parse(first).msg });
});

test('without metrics there are no figures, and the rest goes on', async () => {
  await using off = await createTestApp(database.url, { INTERNAL_API_KEY: KEY, ENABLE_METRICS: 'false' });
  for (const path of ['metrics', 'metrics/prometheus', 'history', 'performance']) {
    expect((await off.app.inject(`/api/monitoring/${path}`)).statusCode, path).toBe(404);
  }
  const alerts = await off.app.inject({ url: '/api/monitoring/alerts', headers: operator });
  expect(alerts.statusCode).toBe(200);
});

test('figures, history and performance tell of the requests that were sent', async () => {
  const before = await read<TrafficReport>('/api/monitoring/performance?window=15m');
  for (let index = 0; index < 50; index++) await (await fetch(`${server.url}/api/status`)).text();
  for (let index = 0; index < 20; index++) await (await fetch(`${server.url}/api/missing/${index}`)).text();
  const after = await read<TrafficReport>('/api/monitoring/performance?window=15m');
  const requests = ({ routes }: TrafficReport, name: string) =>
    routes.find(({ method, route }) => `${method} ${route}` === name)?.requests ?? 0;
  expect(requests(after, 'GET /api/status') - requests(before, 'GET /api/status')).toBe(50);
  expect(requests(after, 'GET unknown') - requests(before, 'GET unknown')).toBe(20);
  // The 70, and the one that asked before.
  expect(after.total.requests - before.total.requests).toBe(71);

  const one = await read<TrafficReport>(
    `/api/monitoring/performance?window=15m&route=${encodeURIComponent('GET /api/status')}`,
  );
  expect(one.routes).toHaveLength(1);
  expect(one.total.requests).toBe(requests(after, 'GET /api/status'));
  expect(one.history?.stepMs).toBe(60_000);
  const none = await fetch(`${server.url}/api/monitoring/performance?route=GET%20/none`, {
    headers: operator,
  });
  expect(none.status).toBe(404);

  const now = await read<ProcessStatus>('/api/monitoring/metrics');
  expect(now).toMatchObject({ state: 'ready', ready: true, inFlight: 1, errorRatio: 0 });
  expect(now.instance).toMatch(/^.+-[0-9a-f]{6}$/);
  expect(now.requestsPerSecond).toBeGreaterThan(0);
  expect(now.p99Ms).toBeGreaterThan(0);
  const history = await read<TrafficHistory>('/api/monitoring/history?window=5m');
  expect(history.instance).toBe(now.instance);
});

test.runIf(process.platform === 'linux')(
  'the disk that is watched is the one that LOG_FILE is on',
  async () => {
    const folder = await mkdtemp('/dev/shm/logging-');
    const env = { DATABASE_URL: database.url, INTERNAL_API_KEY: KEY, LOG_FILE: join(folder, 'server.log') };
    await using other = await startServer(env);
    await other.ready();
    const freeOf = async (path: string) => {
      const { bavail, blocks } = await statfs(path);
      return bavail / blocks;
    };
    const answer = await fetch(`${other.url}/metrics`, { headers: operator });
    const told = Number(/^app_disk_free_ratio\S* (\S+)$/m.exec(await answer.text())?.[1]);
    expect(told).toBeCloseTo(await freeOf(folder), 2);
    expect(told).not.toBeCloseTo(await freeOf('.'), 2);
    await rm(folder, { recursive: true });
  },
);

test('a process that was frozen was not late', async () => {
  const delays: number[] = [];
  const look = async (forMs: number) => {
    for (const end = Date.now() + forMs; Date.now() < end; await sleep(200)) {
      delays.push((await read<ProcessStatus>('/api/monitoring/metrics')).eventLoop.delayP99Ms);
    }
  };
  await look(3_000);
  server.child.kill('SIGSTOP');
  // Longer than a busy machine makes it wait.
  await sleep(15_000);
  server.child.kill('SIGCONT');
  await look(5_000);
  expect(Math.max(...delays)).toBeGreaterThan(0);
  expect(Math.max(...delays)).toBeLessThan(10_000);
});

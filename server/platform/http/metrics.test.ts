import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as send } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { THINGS, things } from '../../../tests/support/fixture/things.ts';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { sendRaw } from '../../../tests/support/raw-http.ts';
import type { Part } from '../parts.ts';

/** The whole of what is promised is tried with COUNT=100000. */
const COUNT = Number(process.env.COUNT ?? 4_000);
/** Likewise with FLOOD=1000000; that takes minutes. */
const FLOOD = Number(process.env.FLOOD ?? 5_000);
const KEY = 'Rt6Yb4oW8i2VqPjGfEdHs1McUn5BrL7wXa0TyQ9v3kZ';
const DURATION = 'http_server_request_duration_seconds';
const soon = { timeout: 60_000, interval: 50 };

/** Answers of `/api/held` wait for this. */
const letGo = Promise.withResolvers<void>();
let ended = 0;
const held: Part = {
  name: 'held',
  async routes(app) {
    const config = { access: 'public' } as const;
    app.post('/api/held', { config }, async () => {
      await letGo.promise;
      ended++;
      return {};
    });
    app.delete('/api/held/:id', { config }, async () => ({}));
  },
};

let database: TestDatabase;
let server: TestApp;
let url: string;
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

beforeAll(async () => {
  database = await createDatabase();
  await query(database.url, THINGS);
  const env = { RATE_LIMIT_MAX: '10000000', INTERNAL_API_KEY: KEY };
  server = await createTestApp(database.url, env, { features: [things, () => held] });
  url = await server.listen();
});
afterAll(async () => {
  agent.destroy();
  await server[Symbol.asyncDispose]();
  await database.drop();
});

interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
}

async function scraped(of = server): Promise<Series[]> {
  const { text } = await of.app.metricsRegistry.scrape();
  return text.split('\n').flatMap((line) => {
    const [, name = '', labels = '', value] = /^([a-z][\w]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === '') return [];
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });
}

/** How many requests were counted, all of them or those that match. */
async function counted(wanted: Record<string, string> = {}, of = server): Promise<number> {
  const series = await scraped(of);
  return series
    .filter(({ name }) => name === `${DURATION}_count`)
    .filter(({ labels }) => Object.entries(wanted).every(([name, value]) => labels[name] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

function ask(
  path: string,
  method = 'GET',
  body?: string,
  headers: Record<string, string> = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const request = send(`${url}${path}`, { agent, method, headers: { ...type, ...headers } }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode as number));
    });
    request.on('error', reject).end(body);
  });
}

const random = (most: number) => Math.floor(Math.random() * most);

test(`counts ${COUNT} requests of every kind once each`, { timeout: 600_000 }, async () => {
  const kinds = [
    () => ask('/api/status'),
    () => ask('/live'),
    () => ask('/'),
    () => ask('/', 'HEAD'),
    () => ask('/some/page', 'GET', undefined, { accept: 'text/html' }),
    () => ask(`/missing-${random(1e9)}.js`),
    () => ask(`/api/missing/${random(1e9)}`),
    () => ask('/api/things/abc'),
    () => ask('/api/things', 'POST', '{"malformed'),
    () => ask('/api/things', 'POST', '{"unknown":1}'),
    () => ask('/metrics'),
    () => ask('/api/status', 'DELETE'),
    () => ask('/%zz'),
    () => ask('/api/status', 'PROPFIND'),
  ];
  const before = await counted();
  const statuses = new Map<number, number>();
  let sent = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (sent < COUNT) {
        const status = await (kinds[sent++ % kinds.length] as () => Promise<number>)();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    }),
  );
  // An answer may arrive before its request is counted.
  await vi.waitFor(async () => expect(await counted()).toBe(before + sent), soon);
  // A busy machine refuses some of them, which are counted as well.
  expect([...statuses.keys()].filter((status) => status !== 503).sort()).toEqual([200, 400, 401, 404, 405]);
  for (const [status, count] of statuses) {
    expect(await counted({ status: String(status) }), String(status)).toBe(count);
  }
});

test('counts malformed requests', async () => {
  const before = await counted({ route: 'unknown', method: 'other', status: '400' });
  for (let index = 0; index < 5; index++) await sendRaw(url, ['not http\r\n\r\n']);
  expect(await counted({ route: 'unknown', method: 'other', status: '400' })).toBe(before + 5);
  await sendRaw(url, [`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`]);
  expect(await counted({ status: '431' })).toBe(1);
  // What Node itself would refuse.
  const all = await counted();
  await sendRaw(url, ['GET /api/status HTTP/1.1\r\n\r\n']);
  await sendRaw(url, ['GET / HTTP/1.1\r\n\r\n']);
  await sendRaw(url, ['GET / HTTP/1.1\r\nHost: a\r\nExpect: everything\r\n\r\n']);
  await vi.waitFor(async () => expect(await counted()).toBe(all + 3), soon);
  expect(await counted({ status: '417' })).toBe(1);
});

test('counts clients that disconnect before their answer, and in the middle of their body', async () => {
  const route = '/api/held';
  const head = `POST ${route} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n`;
  const body = JSON.stringify({ comment: 'deployment' });
  const before = await counted();
  for (const start of [
    `${head}Content-Length: ${body.length}\r\n\r\n${body}`,
    `${head}Content-Length: ${body.length}\r\n\r\n${body.slice(0, 10)}`,
  ]) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(start);
    await vi.waitFor(() => expect(server.app.connections.working).toBeGreaterThan(0), soon);
    socket.destroy();
    await vi.waitFor(() => expect(server.app.connections.working).toBe(0), soon);
  }
  await vi.waitFor(async () => expect(await counted()).toBe(before + 2), soon);
  expect(await counted({ status: '499', method: 'POST', route })).toBe(1);
  // Half a request counts as a bad one, although its client is gone.
  expect(await counted({ status: '400', method: 'POST', route })).toBe(1);
  // What they set going ends, and is not counted a second time.
  letGo.resolve();
  await vi.waitFor(() => expect(ended).toBe(1), soon);
  expect(await counted()).toBe(before + 2);
});

test('has one label for all unknown addresses, and one for all unknown methods', async () => {
  for (let index = 0; index < 300; index++) {
    const method = ['GET', 'POST', 'PROPFIND', 'REPORT', 'PURGE', 'MKCOL'][index % 6];
    await ask(`/${random(1e12).toString(36)}/${index}.php?x=${index}`, method);
    await ask(`/api/held/${random(1e9)}`, 'DELETE');
  }
  const series = await scraped();
  const routes = new Set(series.flatMap(({ labels }) => labels.route ?? []));
  const methods = new Set(series.flatMap(({ labels }) => labels.method ?? []));
  expect(routes).toContain('/api/held/:id');
  expect(routes).toContain('unknown');
  expect([...routes].filter((route) => /\d|php/.test(route))).toEqual([]);
  expect([...methods].sort()).toEqual(['DELETE', 'GET', 'HEAD', 'POST', 'other']);
  expect(series.length).toBeLessThan(3_000);
});

test('never has more than 3,000 series', async () => {
  const { observations } = server.app;
  for (let index = 0; index < 5_000; index++) {
    const route = observations.routes.of(['GET', 'POST', 'X'][index % 3] as string, `/route/${index % 100}`);
    observations.request(route, 200 + (index % 300), 1);
  }
  const series = await scraped();
  expect(series.length).toBeLessThan(3_000);
  expect(await counted({ route: 'other' })).toBeGreaterThan(0);
});

test('has the metrics that dashboards need, and promtool finds no fault', async (context) => {
  await ask('/api/status');
  await server.database.pool.query('select 1');
  const names = new Set((await scraped()).map(({ name }) => name));
  expect([...names]).toEqual(
    expect.arrayContaining([
      `${DURATION}_bucket`,
      'http_server_active_requests',
      'http_server_request_body_size_bytes_sum',
      'http_server_response_body_size_bytes_count',
      'http_server_shed_requests_total',
      'http_server_closed_connections_total',
      'db_client_operation_duration_seconds_bucket',
      'db_client_connection_wait_time_seconds_count',
      'db_client_connections',
      'db_client_pending_requests',
      'nodejs_eventloop_time_seconds_total',
      'nodejs_gc_duration_seconds_count',
      'nodejs_heap_size_used_bytes',
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
      'app_build_info',
      'app_ready',
      'app_state',
      'app_check_passing',
    ]),
  );
  const { text } = await server.app.metricsRegistry.scrape();
  const { error } = spawnSync('promtool', ['--version']);
  if (error && !process.env.CI) context.skip('promtool is not installed: part of the package prometheus');
  expect(execFileSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })).toBe('');
});

test('has buckets and a sum that match the count', async () => {
  const series = await scraped();
  const of = (name: string) =>
    series.filter(({ name: one, labels }) => one === `${DURATION}_${name}` && labels.route === '/live');
  const buckets = of('bucket').map(({ value }) => value);
  expect(of('bucket').map(({ labels }) => labels.le)).toEqual(
    '0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 +Inf'.split(' '),
  );
  expect(buckets.toSorted((a, b) => a - b)).toEqual(buckets);
  expect(buckets.at(-1)).toBe(of('count')[0]?.value);
  expect(of('sum')[0]?.value).toBeGreaterThan(0);
});

test(`does not grow by what ${FLOOD} requests of random addresses leave`, {
  timeout: 1_800_000,
}, async () => {
  const collect = await garbageCollector();
  // The lines of the other one are kept by the test.
  await using silent = await createTestApp(database.url, { RATE_LIMIT_MAX: '10000000', LOG_LEVEL: 'silent' });
  const address = await silent.listen();
  await flood(address, 3_000);
  collect();
  const before = process.memoryUsage();
  const countedBefore = await counted({}, silent);
  await flood(address, FLOOD);
  await vi.waitFor(async () => expect(await counted({}, silent)).toBe(countedBefore + FLOOD), soon);
  collect();
  const after = process.memoryUsage();
  const grown = after.heapUsed - before.heapUsed + after.external - before.external;
  console.log(`${(grown / 2 ** 20).toFixed(1)} MiB more after ${FLOOD} requests`);
  expect(grown).toBeLessThan(20 * 2 ** 20);
  expect((await scraped(silent)).length).toBeLessThan(3_000);
});

async function garbageCollector(): Promise<() => void> {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}

/** Sends so many requests of random addresses, some of them mistaken, fifty at a time over one connection. */
async function flood(address: string, count: number): Promise<void> {
  const socket = connect(Number(new URL(address).port), '127.0.0.1');
  await once(socket, 'connect');
  let answered = 0;
  let part = Promise.withResolvers<void>();
  // The form of a body says nothing here; that of an answer's first line does.
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    answered += chunk.split('HTTP/1.1 ').length - 1;
    part.resolve();
  });
  socket.on('close', () => part.reject(new Error('the server has closed the connection')));
  for (let sent = 0; sent < count; ) {
    const size = Math.min(50, count - sent);
    let text = '';
    for (let index = 0; index < size; index++) {
      const name = random(1e12).toString(36);
      const path = [`/${name}`, `/api/${name}`, `/api/things/${name}`, `/api/things?after=${name}`, '/%zz'][
        index % 5
      ];
      text += `${index % 7 === 0 ? 'PUT' : 'GET'} ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${name}${name}\r\n\r\n`;
    }
    sent += size;
    socket.write(text);
    while (answered < sent) {
      await part.promise;
      part = Promise.withResolvers();
    }
  }
  socket.removeAllListeners('close').destroy();
}

test('without metrics, nothing is counted', async () => {
  await using off = await createTestApp(database.url, { ENABLE_METRICS: 'false' });
  const address = await off.listen();
  expect((await fetch(`${address}/`)).status).toBe(200);
  expect((await fetch(`${address}/live`)).status).toBe(200);
  expect((await sendRaw(address, ['not http\r\n\r\n'])).status).toBe(400);
  expect(off.app.observations.enabled).toBe(false);
  expect(await counted({}, off)).toBe(0);
});

import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, expect, it } from 'vitest';
import { createDatabase } from '../../../tests/support/postgres.ts';
import { until } from '../../../tests/support/until.ts';
import { createDatabase as createPool } from '../database/pool/pool.ts';
import { HeapWatch } from '../metrics/heap-watch.ts';
import { access } from './access/access.ts';
import { handlerDeadline } from './handler-deadline.ts';
import { type OverloadOptions, overload, shedCounts } from './overload.ts';
import { problems } from './problems.ts';

const KEY = 'k'.repeat(43);
const OPEN = { config: { access: 'public' } } as const;
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function make(
  routes: (api: FastifyInstance) => void,
  options: Partial<OverloadOptions> = {},
): Promise<{ app: FastifyInstance; url: string }> {
  const app: FastifyInstance = Fastify({ forceCloseConnections: true });
  ends.push(() => app.close());
  app.decorate('overload', { shed: shedCounts() });
  await app.register(problems);
  await app.register(access, { keys: [KEY] });
  app.get('/live', OPEN, () => 'alive');
  await app.register(async (api) => {
    await api.register(overload, { waitedMs: () => 0, ...options });
    await api.register(handlerDeadline, { limitMs: 10_000 });
    api.get('/', OPEN, () => 'done');
    api.get('/closed', { config: { access: 'operator' } }, () => 'done');
    routes(api);
  });
  return { app, url: await app.listen({ port: 0, host: '127.0.0.1' }) };
}

const statusOf = async (url: string, init?: RequestInit) => {
  const answer = await fetch(url, init);
  await answer.body?.cancel();
  return answer.status;
};

it('refuses while too many handlers run, but neither probes nor operators', async () => {
  const gate = Promise.withResolvers<string>();
  const { app, url } = await make((api) => api.get('/wait', OPEN, () => gate.promise), { maxRunning: 3 });
  const waiting = [1, 2, 3].map(() => statusOf(`${url}/wait`));
  await expect.poll(() => statusOf(url)).toBe(503);
  app.overload.shed['in-flight'] = 0;
  const refused = await fetch(`${url}/?secret`);
  expect(refused.status).toBe(503);
  const { requestId, ...document } = (await refused.json()) as Record<string, unknown>;
  expect(document).toEqual({
    type: '/problems/unavailable',
    title: 'Service unavailable',
    status: 503,
    detail: 'The server is overloaded. Try again in a moment.',
    instance: '/',
  });
  // Refusals share an error, and nothing of one request stands in the answer to another.
  expect(await (await fetch(url)).json()).not.toMatchObject({ requestId });
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(refused.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(await statusOf(`${url}/live`)).toBe(200);
  expect(await statusOf(`${url}/closed`, { headers: { 'x-api-key': KEY } })).toBe(200);
  expect(await statusOf(`${url}/closed`, { headers: { 'x-api-key': 'guess' } })).toBe(503);
  // On other routes a right key is treated like a wrong one.
  expect(await statusOf(url, { headers: { 'x-api-key': KEY } })).toBe(503);
  gate.resolve('over');
  expect(await Promise.all(waiting)).toEqual([200, 200, 200]);
  expect(await statusOf(url)).toBe(200);
  expect(app.overload.shed).toMatchObject({ 'in-flight': 4 });
});

it('frees the place of a client that disconnects', async () => {
  const { url } = await make((api) => api.get('/wait', OPEN, () => sleep(60_000, '', { ref: false })), {
    maxRunning: 1,
  });
  const gone = new AbortController();
  const asked = fetch(`${url}/wait`, { signal: gone.signal }).catch(() => {});
  await expect.poll(() => statusOf(url)).toBe(503);
  gone.abort();
  await asked;
  await expect.poll(() => statusOf(url)).toBe(200);
});

it('refuses while the queue for the database grows, but no burst, and recovers', async () => {
  const testDatabase = await createDatabase('empty');
  ends.push(testDatabase.drop);
  const database = createPool(
    {
      connection: { connectionString: testDatabase.url },
      poolSize: 2,
      idleTimeoutMs: 10_000,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 5_000,
      preparedStatements: true,
      applicationName: 'overload',
    },
    { debug() {}, info() {}, warn() {} },
  );
  ends.push(() => database.close());
  const { app, url } = await make(
    (api) =>
      api.get('/work', OPEN, async () => (await database.pool.query('select pg_sleep(0.01)')).rowCount),
    { waitedMs: () => database.waitedMs() },
  );
  // A burst, as after a cold start: also what arrives when the first has waited for longer than the limit is served. It is injected,
  // because the network of a busy machine would spread it.
  const burst = Array.from({ length: 100 }, () => app.inject('/work'));
  await until('a long wait', () => database.waitedMs() > 200, undefined, 1);
  burst.push(...Array.from({ length: 5 }, () => app.inject('/work')));
  const statuses = (await Promise.all(burst)).map(({ statusCode }) => statusCode);
  expect(new Set(statuses)).toEqual(new Set([200]));

  // Five times as many as two connections can serve.
  const answers: Promise<number>[] = [];
  while (app.overload.shed['database-queue'] < 100) {
    for (let i = 0; i < 50; i++) answers.push(statusOf(`${url}/work`));
    await sleep(50);
  }
  expect(new Set(await Promise.all(answers))).toEqual(new Set([200, 503]));
  await expect.poll(() => statusOf(`${url}/work`)).toBe(200);
});

it('refuses while the event loop is late again and again, but not once, and recovers', async () => {
  const block = (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return 'blocked';
  };
  const { app, url } = await make((api) => {
    api.get('/block', OPEN, () => block(220));
    api.get('/once', OPEN, () => block(800));
  });
  await statusOf(url);
  expect(await statusOf(`${url}/once`)).toBe(200);
  expect(await Promise.all([1, 2, 3].map(() => statusOf(url)))).toEqual([200, 200, 200]);

  let going = true;
  const statuses = new Set<number>();
  const clients = Array.from({ length: 4 }, async () => {
    while (going) statuses.add(await statusOf(`${url}/block`));
  });
  await expect.poll(() => app.overload.shed['event-loop']).toBeGreaterThan(0);
  going = false;
  await Promise.all(clients);
  expect(statuses).toEqual(new Set([200, 503]));
  await expect.poll(() => statusOf(url)).toBe(200);
});

it('refuses while full collections leave the heap full, and recovers after one that frees it or when none comes', async () => {
  let used = 0;
  let readings = 0;
  const heap = new HeapWatch(
    () => {},
    () => {
      readings++;
      return used;
    },
    100,
  );
  const { app, url } = await make(() => {}, { heap });
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;

  // Between two collections the heap may be as full as it likes: most of that is garbage. After this one, none comes soon by itself.
  collect();
  await until('it is read', () => readings > 0);
  used = 99;
  expect(await statusOf(url)).toBe(200);
  collect();
  await expect.poll(() => statusOf(url)).toBe(503);
  expect(app.overload.shed.memory).toBeGreaterThan(0);

  // No further collection of this process.
  heap.stop();
  used = 75;
  heap.collected(performance.now());
  expect(await statusOf(url)).toBe(503);
  used = 69;
  heap.collected(performance.now());
  expect(await statusOf(url)).toBe(200);
  used = 79;
  heap.collected(performance.now());
  expect(await statusOf(url)).toBe(200);

  used = 80;
  heap.collected(performance.now());
  expect(await statusOf(url)).toBe(503);
  heap.collected(performance.now() - 5_001);
  expect(await statusOf(url)).toBe(200);
});

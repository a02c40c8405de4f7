import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, query, type TestDatabase } from '../../../../tests/support/postgres.ts';
import { TcpProxy } from '../../../../tests/support/tcp-proxy.ts';
import { createDatabase as createPool, type Database } from '../../database/pool/pool.ts';
import { Lifecycle } from '../../health/lifecycle.ts';
import { ProblemError } from '../../lib/problem.ts';
import type { Identity } from '../../parts.ts';
import { access } from '../access/access.ts';
import { problems } from '../problems.ts';
import { Limit } from './limit.ts';
import { postgresStore } from './postgres-store.ts';
import { rateLimit } from './rate-limit.ts';
import type { SharedStore } from './shared-counter.ts';

const KEY = 'k'.repeat(43);
const apps: FastifyInstance[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

async function make(
  max: number,
  {
    windowMs = 60_000,
    shared,
    identity,
  }: { windowMs?: number; shared?: SharedStore; identity?: Identity } = {},
) {
  const warnings: string[] = [];
  const app: FastifyInstance = Fastify({
    trustProxy: true,
    logger: { level: 'warn', stream: { write: (line: string) => warnings.push(JSON.parse(line).msg) } },
  });
  apps.push(app);
  const lifecycle = new Lifecycle([]);
  lifecycle.to('ready');
  await app.register(problems);
  await app.register(access, { keys: [KEY], identity });
  await app.register(async (probes) => {
    probes.get('/live', { config: { access: 'public' } }, () => 'alive');
    probes.get('/api/monitoring/live', { config: { access: 'public', limit: false } }, () => 'alive');
  });
  await app.register(rateLimit, { max, windowMs, lifecycle, shared });
  app.get('/', { config: { access: 'public' } }, () => 'page');
  app.get('/apiary', { config: { access: 'public' } }, () => 'page');
  app.get('/*', { config: { access: 'public' } }, (_request, reply) => reply.callNotFound());
  await app.register(async (api) => {
    api.get('/api/things', { config: { access: 'public' } }, () => 'thing');
    api.post('/api/things', { config: { access: 'public' } }, () => 'made');
    api.get('/api/status', { config: { access: 'public', limit: 'local' } }, () => 'status');
    api.get('/api/free', { config: { access: 'public', limit: false } }, () => 'free');
    api.get('/api/dear', { config: { access: 'public', limit: { name: 'dear', max: 2 } } }, () => 'dear');
    api.get(
      '/api/brief',
      { config: { access: 'public', limit: { name: 'brief', max: 1, windowMs: 3_000 } } },
      () => 'brief',
    );
    api.get('/hooks/dear', { config: { access: 'public', limit: { name: 'hooks', max: 2 } } }, () => 'dear');
    api.post('/api/sign-in', { config: { access: 'public', limit: 'sign-in' } }, (_request, reply) => {
      reply.code(401).send('Wrong name or password.');
    });
    api.get('/api/monitoring/secrets', { config: { access: 'operator' } }, () => 'secret');
    api.get(
      '/api/monitoring/dear',
      { config: { access: 'operator', limit: { name: 'dear', max: 2 } } },
      () => 'dear',
    );
    api.get('/api/mine', { config: { access: 'user' } }, ({ scope }) => scope?.userId ?? 'anybody');
    api.post('/api/mine', { config: { access: 'user' } }, () => 'made');
    api.get('/mine', { config: { access: 'user' } }, () => 'page');
    api.get('/api/tokens', { config: { access: 'public' } }, ({ headers }) => {
      if (headers.authorization !== 'Bearer token') throw new ProblemError('unauthorized', 'No such token.');
      return 'served';
    });
  });
  await app.ready();
  return Object.assign(app, { warnings });
}

/** Believes a cookie. */
const identity: Identity = {
  async identify({ headers: { cookie } }) {
    const user = /^user=(\w+)$/.exec(cookie ?? '')?.[1];
    return user === undefined ? undefined : { userId: user };
  },
};
const as = (user: string) => ({ headers: { cookie: `user=${user}` } });

type Ask = InjectOptions & { from?: string };

async function ask(app: FastifyInstance, url: string, { from = '192.0.2.1', ...options }: Ask = {}) {
  return app.inject({ url, ...options, headers: { ...options.headers, 'x-forwarded-for': from } });
}

/** How many of so many requests are let through. */
async function passing(app: FastifyInstance, url: string, times: number, options: Ask = {}): Promise<number> {
  let passed = 0;
  for (let i = 0; i < times; i++) if ((await ask(app, url, options)).statusCode !== 429) passed++;
  return passed;
}

describe('in memory', () => {
  it('admits the configured number of requests, and sends the standard headers', async () => {
    const app = await make(3);
    const first = await ask(app, '/api/things');
    expect(first.statusCode).toBe(200);
    expect(first.headers).toMatchObject({
      'ratelimit-policy': '"reads";q=3;w=60',
      ratelimit: expect.stringMatching(/^"reads";r=2;t=(61|60|59)$/),
    });
    expect(await passing(app, '/api/things', 5)).toBe(2);
    const refused = await ask(app, '/api/things');
    expect(refused.statusCode).toBe(429);
    expect(refused.headers).toMatchObject({
      'ratelimit-policy': '"reads";q=3;w=60',
      ratelimit: expect.stringMatching(/^"reads";r=0;t=\d+$/),
      'retry-after': expect.stringMatching(/^(60|5\d)$/),
      'content-type': 'application/problem+json; charset=utf-8',
    });
    expect(refused.json().type).toBe('/problems/too-many-requests');
    expect(app.rateLimits.refused).toEqual({ reads: 4 });
  });

  it.each([1_000, 1_001, 1_002, 20_006, 1_000_008, 999_999_999])(
    'writes out what is left of %i',
    async (max) => {
      const app = await make(max);
      const { ratelimit } = (await ask(app, '/api/things')).headers;
      expect(ratelimit).toMatch(new RegExp(`^"reads";r=${max - 1};t=(61|60|59)$`));
    },
  );

  it('does not limit pages whose address only begins like the API', async () => {
    const app = await make(5);
    expect(await passing(app, '/apiary?a=%20', 12)).toBe(12);
  });

  it('opens again when the window ends', async () => {
    const app = await make(1, { windowMs: 3_000 });
    expect(await passing(app, '/api/things', 3)).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 3_050));
    expect(await passing(app, '/api/things', 3)).toBe(1);
  });

  it.each([
    ['pages', '/', 20],
    ['missing files', '/missing.js', 20],
    ['probes', '/live', 20],
    ['probes under their long path', '/api/monitoring/live', 20],
    ['routes that are free', '/api/free', 20],
    ['addresses that do not exist', '/api/nothing', 10],
    ['addresses whose letters are encoded', '/%61pi/things', 10],
    ['the status', '/api/status', 10],
    ['the API itself', '/api', 10],
    ['a limit of its own', '/api/dear', 2],
    ['a limit of its own beside the API', '/hooks/dear', 2],
  ])('%s: %s, of 20 pass %d', async (_, url, expected) => {
    expect(await passing(await make(10), url, 20)).toBe(expected);
  });

  it('writes have a fifth of it, apart from reads', async () => {
    const app = await make(10);
    expect(await passing(app, '/api/things', 20, { method: 'POST' })).toBe(2);
    expect(await passing(app, '/api/things', 20)).toBe(10);
  });

  it('counts IPv6 by /64, and mapped IPv4 as IPv4', async () => {
    const app = await make(2);
    for (const from of ['2001:db8::1', '2001:db8::2', '192.0.2.9', '::ffff:192.0.2.9']) {
      expect((await ask(app, '/api/things', { from })).statusCode).toBe(200);
    }
    for (const from of ['2001:db8::3', '::ffff:192.0.2.9', '192.0.2.9']) {
      expect((await ask(app, '/api/things', { from })).statusCode).toBe(429);
    }
    expect((await ask(app, '/api/things', { from: '2001:db8:0:1::1' })).statusCode).toBe(200);
  });

  it('refuses a client after wrong keys, but not the right key', async () => {
    const app = await make(100);
    const secret = '/api/monitoring/secrets';
    const wrong = { headers: { 'x-api-key': 'guess' } };
    const right = { headers: { authorization: `Bearer ${KEY}` } };
    expect(await passing(app, secret, 20, wrong)).toBe(10);
    expect((await ask(app, secret, right)).statusCode).toBe(200);
    expect((await ask(app, secret, right)).headers.ratelimit).toMatch(/^"operators";r=998;/);
    // Who sends no key at all guesses nothing.
    expect((await ask(app, secret)).statusCode).toBe(401);
    expect((await ask(app, '/api/things')).statusCode).toBe(200);
    expect((await ask(app, secret, { ...wrong, from: '192.0.2.2' })).statusCode).toBe(401);
  });

  it('refuses a client after failed sign-ins, not because of operators’ keys', async () => {
    const app = await make(100);
    await passing(app, '/api/monitoring/secrets', 30, { headers: { 'x-api-key': 'guess' } });
    expect(await passing(app, '/api/sign-in', 15, { method: 'POST' })).toBe(10);
  });

  it('serves users of an address whose operators’ keys are refused', async () => {
    const app = await make(100_000);
    await passing(app, '/api/monitoring/secrets', 30, { headers: { authorization: 'Bearer guess' } });
    const token = { headers: { authorization: 'Bearer token' } };
    for (let n = 0; n < 200; n++) expect((await ask(app, '/api/tokens', token)).statusCode).toBe(200);
    // Tokens are the route's own to refuse.
    const wrong = { headers: { authorization: 'Bearer wrong' } };
    for (let n = 0; n < 30; n++) expect((await ask(app, '/api/tokens', wrong)).statusCode).toBe(401);
    expect((await ask(app, '/api/tokens', token)).statusCode).toBe(200);
  });

  it('holds an operator to the limit of a route, and counts a HEAD once', async () => {
    const app = await make(100);
    const right = { headers: { 'x-api-key': KEY } };
    expect(await passing(app, '/api/monitoring/dear', 5, right)).toBe(2);
    expect(await passing(app, '/hooks/dear', 5, { method: 'HEAD' })).toBe(2);
  });

  it('gives a route a window of its own', async () => {
    const app = await make(100);
    const first = await ask(app, '/api/brief');
    expect(first.headers).toMatchObject({
      'ratelimit-policy': '"brief";q=1;w=3',
      ratelimit: '"brief";r=0;t=3',
    });
    expect((await ask(app, '/api/brief')).headers['retry-after']).toMatch(/^[123]$/);
    await expect.poll(async () => (await ask(app, '/api/brief')).statusCode).toBe(200);
  });

  it.each([
    { name: 'dear', max: 3 },
    { name: 'dear', max: 2, windowMs: 1_000 },
    { name: 'reads', max: 300 },
    { name: 'a name', max: 1 },
    { name: 'other', max: 0 },
    { name: 'other', max: Number.NaN },
    { name: 'other', max: 1, windowMs: 0 },
    { name: 'other', max: 1, windowMs: 2 ** 31 },
  ])('refuses %j beside the others', async (limit) => {
    const app = Fastify();
    apps.push(app);
    await app.register(access, { keys: [] });
    await app.register(rateLimit, { max: 300, windowMs: 60_000, lifecycle: new Lifecycle([]) });
    app.get('/api/dear', { config: { access: 'public', limit: { name: 'dear', max: 2 } } }, () => 'dear');
    expect(() => app.get('/api/other', { config: { access: 'public', limit } }, () => '')).toThrow(TypeError);
  });

  it('never names more time than its window has', async () => {
    const app = await make(100_000);
    const seen = new Set<string | undefined>();
    for (let n = 0; n < 500; n++) {
      const { headers } = await ask(app, '/api/things', { from: `192.0.2.${n % 250}, 198.51.100.${n >> 1}` });
      seen.add(/t=(\d+)$/.exec(String(headers.ratelimit))?.[1]);
    }
    expect(Math.max(...[...seen].map(Number))).toBe(60);
  });

  it('keeps a bounded number of clients, and drops the oldest', () => {
    const windows = new Limit('reads', 1, 1_000, 100);
    for (let i = 0; i < 1_000; i++) windows.hit(`client ${i}`, i / 10);
    expect(windows.size).toBe(100);
    expect(windows.look('client 899', 100)).toBeUndefined();
    expect(windows.look('client 900', 100)).toMatchObject({ hits: 1 });
    // What has ended melts away with those who come later.
    for (let i = 0; i < 60; i++) windows.hit(`late ${i}`, 5_000);
    expect(windows.size).toBe(60);
  });
});

describe('in PostgreSQL', () => {
  let testDatabase: TestDatabase;
  let proxy: TcpProxy;
  const pools: Database[] = [];

  beforeAll(async () => {
    testDatabase = await createDatabase();
    const { hostname: host, port } = new URL(testDatabase.url);
    proxy = await TcpProxy.start({ host, port: Number(port) });
  });
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.close();
    await query(testDatabase.url, 'truncate rate_limits');
  });
  afterAll(async () => {
    await proxy.stop();
    await testDatabase.drop();
  });

  const pool = () => {
    const url = new URL(testDatabase.url);
    url.port = String(proxy.port);
    const made = createPool(
      {
        connection: { connectionString: url.href },
        poolSize: 5,
        idleTimeoutMs: 10_000,
        connectTimeoutMs: 20_000,
        statementTimeoutMs: 5_000,
        preparedStatements: true,
        applicationName: 'replica',
      },
      { debug() {}, info() {}, warn() {} },
    );
    pools.push(made);
    return made;
  };
  const replica = (max: number, windowMs = 60_000) =>
    // A busy machine may take longer than the 50 ms of a real one; that is another test.
    make(max, { windowMs, shared: { store: postgresStore(pool().db), timeoutMs: 5_000 } });

  it('admits the configured number over two replicas, in sequence or at once', async () => {
    const replicas = [await replica(100), await replica(100)] as const;
    let passed = 0;
    for (let i = 0; i < 150; i++) passed += await passing(replicas[i % 2 ? 0 : 1], '/api/things', 1);
    expect(passed).toBe(100);
    const { rows } = await query(testDatabase.url, 'select key, hits from rate_limits');
    expect(rows.map(({ key }) => key)).toEqual(['reads:60000:192.0.2.1']);
    // What is refused already costs no further question.
    expect(rows[0].hits).toBeLessThan(105);
  });

  it('counts each hit once, however many come at once', async () => {
    const stores = [pool(), pool()].map(({ db }) => new (postgresStore(db))({}));
    const counts = await Promise.all(
      Array.from(
        { length: 60 },
        (_, i) =>
          new Promise((resolve, reject) => {
            const done = (error: Error | null, result?: { current: number }) =>
              error ? reject(error) : resolve(result?.current);
            stores[i % 2]?.incr('crowd', done, 60_000, 10);
          }),
      ),
    );
    expect(counts.toSorted((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 60 }, (_, i) => i + 1),
    );
  });

  it('starts over when the window ends, by the clock of the database', async () => {
    const app = await replica(2, 3_000);
    expect(await passing(app, '/api/things', 5)).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 3_100));
    const again = await ask(app, '/api/things');
    expect(again.headers.ratelimit).toMatch(/^"reads";r=1;t=[23]$/);
  });

  it('names no more time than its window has, also where another configuration has begun a longer one', async () => {
    const app = await replica(1);
    await ask(app, '/api/things');
    await query(testDatabase.url, `update rate_limits set ends_at = now() + interval '1 day'`);
    const refused = await ask(app, '/api/things', { from: '192.0.2.1' });
    expect(refused.headers).toMatchObject({
      'ratelimit-policy': '"reads";q=1;w=60',
      ratelimit: expect.stringMatching(/^"reads";r=0;t=(60|5\d)$/),
      'retry-after': expect.stringMatching(/^(60|5\d)$/),
    });
    // Another replica, which has not refused it yet.
    const other = await replica(1);
    const again = await ask(other, '/api/things');
    expect(again.headers).toMatchObject({ ratelimit: '"reads";r=0;t=60', 'retry-after': '60' });
    // Begun under another configuration.
    expect(await passing(await replica(1, 30_000), '/api/things', 2)).toBe(1);
  });

  it('counts the status alone in its own process', async () => {
    const app = await replica(5);
    await ask(app, '/api/status');
    const { rowCount } = await query(testDatabase.url, 'select 1 from rate_limits');
    expect(rowCount).toBe(0);
  });

  it('removes windows that are over, behind a request', async () => {
    const over = `insert into rate_limits (key, hits, ends_at) values ('old', 1, now() - interval '1 hour')`;
    await query(testDatabase.url, over);
    await ask(await replica(5), '/api/things');
    const old = `select 1 from rate_limits where key = 'old'`;
    await expect.poll(async () => (await query(testDatabase.url, old)).rowCount).toBe(0);
  });

  it('counts in its own process while the database is unreachable, logs it once, and returns', async () => {
    const app = await replica(10);
    const before = { from: '192.0.2.8' };
    expect(await passing(app, '/api/things', 4, before)).toBe(4);
    await proxy.refuse();
    expect(await passing(app, '/api/things', 30)).toBe(10);
    // What was counted together is not forgotten.
    expect(await passing(app, '/api/things', 30, before)).toBe(6);
    expect(app.rateLimits.storeFailures).toBeGreaterThan(0);
    expect(app.warnings.filter((text) => text.includes('store'))).toEqual([
      'the store of rate limits is unreachable: each process counts for itself',
    ]);
    await proxy.pass();
    let clients = 0;
    await expect
      .poll(
        async () => {
          await ask(app, '/api/things', { from: `203.0.113.${++clients}` });
          return (await query(testDatabase.url, `select 1 from rate_limits where key ~ '203.0.113'`))
            .rowCount;
        },
        { timeout: 60_000 },
      )
      .toBeGreaterThan(0);
  });
});

describe('users who are signed in', () => {
  it.each([['GET'], ['HEAD']] as const)('count for themselves, wherever they are: %s', async (method) => {
    const app = await make(5, { identity });
    expect(await passing(app, '/api/mine', 7, { ...as('ada'), method })).toBe(5);
    // Neither does another network help, nor does it harm a colleague behind the same address, nor strangers there.
    expect(await passing(app, '/api/mine', 2, { ...as('ada'), method, from: '198.51.100.7' })).toBe(0);
    expect(await passing(app, '/api/mine', 5, { ...as('bob'), method })).toBe(5);
    expect(await passing(app, '/api/things', 7)).toBe(5);
  });

  it('are told what is left to them', async () => {
    const app = await make(5, { identity });
    await ask(app, '/api/mine', as('ada'));
    const { headers } = await ask(app, '/api/mine', as('ada'));
    expect(headers.ratelimit).toMatch(/^"reads";r=3;/);
    const refused = await passing(app, '/api/mine', 5, { ...as('ada'), method: 'POST' });
    expect(refused).toBe(1);
  });

  it('are refused where a cookie is all that they have: one address has a ceiling', async () => {
    const app = await make(2, { identity });
    const answers: number[] = [];
    for (let n = 0; n < 22; n++) {
      answers.push((await ask(app, '/api/mine', { headers: { cookie: `session=made-up-${n}` } })).statusCode);
    }
    expect(answers).toEqual([...Array(20).fill(401), 429, 429]);
    expect(app.rateLimits.refused).toEqual({ 'signed-in': 2 });
    // Without a cookie an address has what it always had.
    expect((await ask(app, '/api/mine')).statusCode).toBe(401);
    expect(await passing(app, '/api/mine', 3)).toBe(1);
    expect((await ask(app, '/api/mine')).statusCode).toBe(429);
  });

  it('are not counted outside of the API', async () => {
    const app = await make(2, { identity });
    expect(await passing(app, '/mine', 4, as('ada'))).toBe(4);
  });

  it('count for their address where nothing tells who they are', async () => {
    const app = await make(5);
    expect(await passing(app, '/api/mine', 7, as('ada'))).toBe(5);
    expect(await passing(app, '/api/mine', 7, as('bob'))).toBe(0);
  });

  it('are counted once where processes share a store', async () => {
    const counted: string[] = [];
    class Store {
      incr(key: string, callback: (error: Error | null, result?: object) => void) {
        counted.push(key);
        callback(null, { current: counted.length, ttl: 60_000 });
      }
      child() {
        return new Store();
      }
    }
    const app = await make(5, { identity, shared: { store: Store as never } });
    await ask(app, '/api/mine', as('ada'));
    await ask(app, '/api/things');
    expect(counted).toEqual([expect.stringContaining('user:ada'), expect.stringContaining('192.0.2.1')]);
  });
});

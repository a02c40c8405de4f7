import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as alertContracts from '#contracts/operations/alerts.ts';
import * as deploymentContracts from '#contracts/operations/deployment.ts';
import * as logContracts from '#contracts/operations/log.ts';
import * as processContracts from '#contracts/operations/process.ts';
import * as trafficContracts from '#contracts/operations/traffic.ts';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { type Description, readDescription } from '../../../tests/support/description.ts';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { PROBE_PATHS } from '../../platform/http/probes.ts';

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';
const SECRETS = {
  INTERNAL_API_KEY: KEY,
  SESSION_SECRET: 'Hn5cVt2QxWm8RzKb0LpYs4GdFj7UaEoi',
  DATABASE_DIRECT_URL: 'postgres://migrator:Jd8KfXw2NqLm@direct.invalid/shop?password=Jd8KfXw2NqLm',
  REDIS_URL: 'redis://:Vb6TzRc4YhGs@cache.invalid:6379',
  PGPASSWORD: 'Ux3PoEi9AsDk',
};
/** What must be read nowhere: also no part of it. */
const MARKS = [
  'Zk3v9QyT',
  'PqV2i8oW4tYb6R',
  'Hn5cVt2Q',
  'Jd8KfXw2NqLm',
  'Vb6TzRc4YhGs',
  'Ux3PoEi9AsDk',
  'migrator',
];
const OPERATOR = { 'x-api-key': KEY };

let database: TestDatabase;
let server: TestApp;
let description: Description;
beforeAll(async () => {
  database = await createDatabase();
  server = await createTestApp(database.url, SECRETS);
  description = await readDescription(server);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

const read = (url: string, { app } = server) => app.inject({ url, headers: OPERATOR });
const json = async (url: string) => (await read(url)).json();

/** Other parts have addresses of their own, which need the database. */
const ownPaths = new Set(
  [alertContracts, deploymentContracts, logContracts, processContracts, trafficContracts].flatMap(
    (contracts) => Object.values(contracts as object).map(({ url }) => String(url)),
  ),
);

/** Every address for operators that answers at once. */
const reads = () =>
  description.operations
    .filter(([method, path]) => method === 'GET' && path.startsWith('/api/monitoring/'))
    .map(([, path]) => path)
    .filter((path) => ownPaths.has(path) || PROBE_PATHS.has(path))
    .filter((path) => !path.endsWith('/stream'))
    .map((path) => (path.endsWith('/profile') ? `${path}?seconds=1` : path));

describe('the operators’ API', () => {
  it('answers as described, without what is secret', async () => {
    await read('/api/status');
    await server.app.inject({ url: '/api/monitoring/errors', headers: { 'x-api-key': `${KEY}x` } });
    expect(reads().length).toBeGreaterThan(12);
    for (const url of reads()) {
      const answer = await read(url);
      expect(answer.statusCode, url).toBe(200);
      expect(answer.headers['cache-control'], url).toBe('no-store');
      if (!url.includes('prometheus'))
        description.expectDescribed(url.split('?')[0] as string, 'GET', answer);
      for (const mark of MARKS) expect(answer.body.includes(mark), `${url} tells ${mark}`).toBe(false);
      const stranger = await server.app.inject(url);
      expect(stranger.statusCode).toBe(/\/(live|ready|health)$/.test(url) ? 200 : 401);
    }
    const logged = JSON.stringify(server.lines);
    for (const mark of MARKS) expect(logged).not.toContain(mark);
  });

  it('answers while starting, while the database is away, and while draining', async () => {
    const gone = Object.assign(new URL(database.url), { port: '1' });
    await using alone = await createTestApp(
      gone.href,
      { ...SECRETS, RATE_LIMIT_STORE: 'postgres' },
      { state: 'starting' },
    );
    const begun = await alone.app.inject({
      method: 'POST',
      url: '/api/operations/session',
      payload: { key: KEY },
    });
    expect(begun.statusCode).toBe(200);
    for (const state of ['starting', 'migrating', 'ready', 'draining'] as const) {
      if (state !== 'starting') alone.lifecycle.to(state);
      for (const url of reads().filter((path) => !/\/(ready|health)$|seconds/.test(path))) {
        const answer = await read(url, alone);
        expect(answer.statusCode, `${url} ${state}`).toBe(200);
      }
      const { state: told, ready } = (await read('/api/monitoring/metrics', alone)).json();
      expect([told, ready]).toEqual([state, state === 'ready']);
    }
  });

  it('answers an operator while everybody else is refused', async () => {
    await using busy = await createTestApp(database.url, SECRETS);
    const address = await busy.listen();
    const begun = await busy.app.inject({
      method: 'POST',
      url: '/api/operations/session',
      payload: { key: KEY },
    });
    const cookie = String(begun.headers['set-cookie']).split(';')[0] as string;
    vi.spyOn(busy.database, 'waitedMs').mockReturnValue(10_000);
    const status = async (path: string) => (await fetch(address + path, { headers: { cookie } })).status;
    await expect.poll(async () => (await fetch(`${address}/api/notes`)).status).toBe(503);
    expect(await status('/api/operations/session')).toBe(200);
    expect(await status('/api/monitoring/metrics')).toBe(200);
  });

  it('tells of an error by kind, with the request that leads to its lines', async () => {
    await query(database.url, 'ALTER TABLE silences RENAME TO silences_away');
    const silence = { method: 'POST', url: '/api/monitoring/silences', headers: OPERATOR } as const;
    const payload = { alert: '*', comment: 'deployment', minutes: 1 };
    const answers = await Promise.all([1, 2, 3].map(() => server.app.inject({ ...silence, payload })));
    await query(database.url, 'ALTER TABLE silences_away RENAME TO silences');
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([500, 500, 500]);
    const { errors, instance } = await json('/api/monitoring/errors');
    expect(instance).toBe('test-000000');
    expect(errors[0]).toMatchObject({
      count: 3,
      route: 'POST /api/monitoring/silences',
      message: expect.stringContaining('relation "silences" does not exist'),
      stack: expect.stringMatching(/silences\.ts[\s\S]+caused by/),
    });
    expect(JSON.stringify(errors[0])).not.toContain('params:');
    const ids = answers.map(({ headers }) => headers['x-request-id']);
    expect(ids).toContain(errors[0].requestId);
    const { lines } = await json(`/api/monitoring/logs?requestId=${errors[0].requestId}`);
    expect(lines.map(({ message }: { message: string }) => message)).toEqual(['request failed', 'request']);
  });

  it('tells of each answer of 500 or more while the database is away, by route', async () => {
    const gone = Object.assign(new URL(database.url), { port: '1' });
    await using alone = await createTestApp(gone.href, SECRETS);
    const url = `${await alone.listen()}/api/monitoring/silences`;
    const body = JSON.stringify({ alert: '*', comment: 'deployment', minutes: 1 });
    const headers = { ...OPERATOR, 'content-type': 'application/json' };
    const ask = () => fetch(url, { method: 'POST', headers, body });
    const answers = [await ask(), await ask()];
    expect(answers.map(({ status }) => status)).toEqual([503, 503]);
    const { errors } = (await read('/api/monitoring/errors', alone)).json();
    expect(errors).toEqual([
      expect.objectContaining({
        type: 'DatabaseUnavailableError',
        status: 503,
        count: 2,
        route: 'POST /api/monitoring/silences',
        requestId: answers[1]?.headers.get('x-request-id'),
        message: expect.stringContaining('ECONNREFUSED'),
      }),
    ]);
    expect(alone.lines.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  it('tells of a request that was shed', async () => {
    await using busy = await createTestApp(database.url, SECRETS);
    vi.spyOn(busy.database, 'waitedMs').mockReturnValue(10_000);
    const address = await busy.listen();
    await expect.poll(async () => (await fetch(`${address}/api/notes`)).status).toBe(503);
    const { errors } = (await read('/api/monitoring/errors', busy)).json();
    expect(errors).toMatchObject([
      { status: 503, route: 'GET /api/notes', message: expect.stringContaining('overloaded') },
    ]);
  });

  it('reads the end of the log by level, text and number', async () => {
    for (let n = 0; n < 5; n++) server.app.log.info({ n }, 'Something to find');
    server.app.log.warn('something to find, and to look at');
    const found = async (parameters: string) =>
      (await json(`/api/monitoring/logs?search=something+to&${parameters}`)).lines.length;
    expect(await found('')).toBe(6);
    expect(await found('level=warn')).toBe(1);
    expect(await found('limit=2')).toBe(2);
    expect((await read('/api/monitoring/logs?level=loud')).statusCode).toBe(400);
    expect((await read('/api/monitoring/logs?limit=1001')).statusCode).toBe(400);
  });

  it('does not fill the log that it shows', async () => {
    const before = server.lines.length;
    for (let n = 0; n < 5; n++) await read('/api/monitoring/logs');
    expect(server.lines.slice(before)).toEqual([]);
  });

  it('tells every setting with its origin, and of secrets that they are set', async () => {
    const { settings } = await json('/api/monitoring/config');
    const of = (name: string) => settings.find((setting: { name: string }) => setting.name === name);
    expect(settings.length).toBeGreaterThan(40);
    expect(of('RATE_LIMIT_MAX')).toMatchObject({ value: '100000', origin: 'environment', group: 'Requests' });
    expect(of('DB_POOL_SIZE')).toMatchObject({ value: '20', origin: 'default', doc: expect.any(String) });
    expect(of('METRICS_PORT')).toMatchObject({ value: null, origin: 'default' });
    expect(of('SESSION_SECRET').value).toBe(of('INTERNAL_API_KEY').value);
    expect(of('REDIS_URL').value).toBe('redis://(secret)@cache.invalid:6379');
  });
});

describe('the level of the log', () => {
  const put = (payload: object) =>
    server.app.inject({ method: 'PUT', url: '/api/monitoring/log-level', headers: OPERATOR, payload });

  it('can be changed for a while, for this process, and shows what was hidden', async () => {
    const before = await json('/api/monitoring/log-level');
    expect(before).toEqual({
      instance: 'test-000000',
      level: 'info',
      configured: 'info',
      until: null,
      scope: 'this replica only',
    });
    const answer = await put({ level: 'debug', minutes: 5 });
    description.expectDescribed('/api/monitoring/log-level', 'PUT', answer);
    expect(answer.json()).toMatchObject({ level: 'debug', configured: 'info' });
    const inMs = Date.parse(answer.json().until) - Date.now();
    expect(inMs).toBeGreaterThan(4 * 60_000);
    expect(inMs).toBeLessThanOrEqual(5 * 60_000);
    const lines = server.lines.length;
    await server.app.inject('/live');
    expect(server.lines.slice(lines)).toMatchObject([{ level: 20, path: '/live' }]);
    await put({ level: 'error', minutes: 1 });
    await server.app.inject('/api/nothing');
    expect(server.lines.slice(-1)).toMatchObject([{ to: 'error' }]);
    await put({ level: 'info', minutes: 1 });
  });

  it.each([
    {},
    { level: 'debug' },
    { level: 'loud', minutes: 5 },
    { level: 'debug', minutes: 0 },
    { level: 'silent', minutes: 1 },
  ])('refuses %j', async (payload) => {
    expect((await put(payload)).statusCode).toBe(400);
  });
});

describe('a profile', () => {
  interface CpuProfile {
    nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[];
    startTime: number;
    endTime: number;
    samples: number[];
    timeDeltas: number[];
  }

  function aLoopToFind(until: number): void {
    for (let n = 0; performance.now() < until; ) while (++n % 100_000 !== 0);
  }

  it('is what browser tools open, and shows what has run', async () => {
    // A handler of a feature would be cut off long before.
    await using impatient = await createTestApp(database.url, { ...SECRETS, REQUEST_TIMEOUT_MS: '200' });
    let isTaken = false;
    const taking = read('/api/monitoring/profile?seconds=1', impatient).finally(() => {
      isTaken = true;
    });
    const second = await read('/api/monitoring/profile?seconds=1', impatient);
    expect([second.statusCode, second.json().type]).toEqual([409, '/problems/conflict']);
    while (!isTaken) {
      aLoopToFind(performance.now() + 50);
      await new Promise(setImmediate);
    }
    const answer = await taking;
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-disposition']).toMatch(
      /^attachment; filename="test-000000-[\d-]+T[\d-]+\.cpuprofile"$/,
    );
    const profile: CpuProfile = answer.json();
    expect(profile.endTime - profile.startTime).toBeGreaterThan(900_000);
    expect(profile.samples.length).toBe(profile.timeDeltas.length);
    const ids = new Set(profile.nodes.map(({ id }) => id));
    expect(profile.samples.every((id) => ids.has(id))).toBe(true);
    expect(profile.nodes.flatMap(({ children = [] }) => children).every((id) => ids.has(id))).toBe(true);
    const loop = profile.nodes.filter(({ callFrame }) => callFrame.functionName === 'aLoopToFind');
    const hits = profile.samples.filter((id) => loop.some((node) => node.id === id)).length;
    expect(hits / profile.samples.length).toBeGreaterThan(0.1);
  });

  it('ends when its client disconnects, and when the process drains', async () => {
    await using other = await createTestApp(database.url, SECRETS);
    const address = await other.listen();
    const leave = new AbortController();
    const left = fetch(`${address}/api/monitoring/profile?seconds=60`, {
      headers: OPERATOR,
      signal: leave.signal,
    });
    const soon = { timeout: 60_000 };
    await vi.waitFor(() => expect(other.app.connections.working).toBe(1), soon);
    expect((await read('/api/monitoring/profile', other)).statusCode).toBe(409);
    leave.abort();
    await expect(left).rejects.toThrow();
    await vi.waitFor(
      async () => expect((await read('/api/monitoring/profile?seconds=1', other)).statusCode).toBe(200),
      soon,
    );
    const taking = fetch(`${address}/api/monitoring/profile?seconds=60`, { headers: OPERATOR });
    await vi.waitFor(() => expect(other.app.connections.working).toBe(1), soon);
    other.lifecycle.to('draining');
    const answer = await taking;
    expect(answer.status).toBe(200);
    const profile = (await answer.json()) as CpuProfile;
    expect(profile.nodes.length).toBeGreaterThan(0);
    expect(profile.endTime - profile.startTime).toBeLessThan(59_000_000);
  });

  it.each(['0', '61', 'x'])('of %s seconds is refused', async (seconds) => {
    expect((await read(`/api/monitoring/profile?seconds=${seconds}`)).statusCode).toBe(400);
  });
});

import fastifyCors from '@fastify/cors';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { createDatabase, type TestDatabase } from '../../../tests/support/postgres.ts';
import type { Part } from '../parts.ts';
import { CORS, cors } from './cors.ts';
import { problems } from './problems.ts';

const ORIGINS = ['https://app.example.com', 'http://localhost:3000'];

async function make(origins: string[]) {
  const made = Fastify();
  await made.register(problems);
  await made.register(cors, { origins });
  made.get('/api/things', async (_request, reply) => reply.header('etag', '"1"').send([]));
  made.patch('/api/things', async () => []);
  made.get('/page', async () => 'page');
  return made;
}

let app: FastifyInstance;
beforeAll(async () => {
  app = await make(ORIGINS);
});
afterAll(() => app.close());

const corsOf = (headers: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(headers).filter(([name]) => name === 'vary' || name.startsWith('access-control-')),
  );
const preflight = (origin: string) => ({ origin, 'access-control-request-method': 'PATCH' });

describe.each(ORIGINS)('a page of %s', (origin) => {
  it('may read answers, errors and their headers', async () => {
    for (const url of ['/api/things', '/api/nothing']) {
      const { headers } = await app.inject({ url, headers: { origin } });
      expect(corsOf(headers)).toEqual({
        vary: 'Origin',
        'access-control-allow-origin': origin,
        'access-control-allow-credentials': 'true',
        'access-control-expose-headers':
          'ETag, Location, X-Request-Id, RateLimit, RateLimit-Policy, Retry-After',
      });
    }
  });

  it('may send a preflight, and cache the answer', async () => {
    const answer = await app.inject({ method: 'OPTIONS', url: '/api/things', headers: preflight(origin) });
    expect([answer.statusCode, answer.body]).toEqual([204, '']);
    const { headers } = answer;
    expect(headers['access-control-allow-methods']).toMatch(/\bPATCH\b/);
    expect(headers['access-control-allow-headers']).toMatch(/\bIf-Match\b.*\bX-API-Key\b/);
    expect(headers['access-control-max-age']).toBe('7200');
  });

  it('gets what a plain registration of @fastify/cors answers', async () => {
    const theirs = Fastify();
    await theirs.register(fastifyCors, { ...CORS, origin: [...ORIGINS] });
    theirs.get('/api/things', async () => []);
    for (const method of ['GET', 'OPTIONS'] as const) {
      const request = { method, url: '/api/things', headers: preflight(origin) };
      expect(corsOf((await app.inject(request)).headers)).toEqual(
        corsOf((await theirs.inject(request)).headers),
      );
    }
    await theirs.close();
  });
});

it.each([
  'https://evil.example',
  'https://app.example.com.evil.example',
  'https://sub.app.example.com',
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://APP.example.com',
  'null',
  '*',
  '__proto__',
])('a page of %s gets nothing', async (origin) => {
  const { headers } = await app.inject({ url: '/api/things', headers: { origin } });
  expect(corsOf(headers)).toEqual({ vary: 'Origin' });
  const asked = await app.inject({ method: 'OPTIONS', url: '/api/things', headers: preflight(origin) });
  expect([asked.statusCode, corsOf(asked.headers)]).toEqual([405, { vary: 'Origin' }]);
});

it('grants nothing outside the API, and sends nothing without CORS_ORIGINS', async () => {
  const headers = { origin: ORIGINS[0] as string };
  expect(corsOf((await app.inject({ url: '/page', headers })).headers)).toEqual({ vary: 'Origin' });
  await using closed = await make([]);
  expect(corsOf((await closed.inject({ url: '/api/things', headers })).headers)).toEqual({});
});

describe('operators’ routes, in the whole application', () => {
  const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';
  const SESSION = '/api/operations/session';
  const origin = 'https://pages.example.com';
  let database: TestDatabase;
  let server: TestApp;
  let cookie: string;
  beforeAll(async () => {
    database = await createDatabase();
    const env = {
      CORS_ORIGINS: origin,
      PUBLIC_URL: 'https://own.example.com',
      INTERNAL_API_KEY: KEY,
      SESSION_SECRET: 'Hn5cVt2QxWm8RzKb0LpYs4GdFj7UaEoi',
    };
    server = await createTestApp(database.url, env, { features: [() => stock] });
    const answer = await server.app.inject({ method: 'POST', url: SESSION, payload: { key: KEY } });
    cookie = String(answer.headers['set-cookie']).split(';')[0] as string;
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await database.drop();
  });
  const OPERATOR = { config: { access: 'operator' } } as const;
  const stock: Part = {
    name: 'stock',
    async routes(api) {
      api.get('/api/monitoring/stock', OPERATOR, async () => 7);
      api.put('/api/monitoring/stock', OPERATOR, async () => 8);
      api.delete('/api/monitoring/stock/:id', OPERATOR, async () => 6);
      api.get('/api/shop', { config: { access: 'public' } }, async () => 'open');
      api.patch('/api/shop/:id', { config: { access: 'public' } }, async () => 'changed');
    },
  };
  const granted = (headers: Record<string, unknown>) =>
    Object.keys(headers).filter((name) => name.startsWith('access-control-'));

  it.each(['/api/monitoring/stock', '/api/monitoring/nothing', '/api/%6Donitoring/stock', SESSION])(
    'a page of a listed origin cannot read at %s',
    async (url) => {
      for (const headers of [{ origin, cookie }, { origin }, { origin, 'x-api-key': KEY }]) {
        const answer = await server.app.inject({ url, headers });
        expect(granted(answer.headers)).toEqual([]);
      }
    },
  );

  it.each([
    ['PUT', '/api/monitoring/stock'],
    ['PUT', '/api/%6Donitoring/stock'],
    ['GET', '/api/monitoring/stock'],
    ['POST', SESSION],
    ['DELETE', SESSION],
    ['DELETE', '/api/monitoring/stock/7'],
  ])('a preflight for %s %s is refused', async (method, url) => {
    const headers = { origin, 'access-control-request-method': method };
    const answer = await server.app.inject({ method: 'OPTIONS', url, headers });
    expect([answer.statusCode >= 400, granted(answer.headers)]).toEqual([true, []]);
  });

  it('a page of a listed origin cannot write with the operator’s cookie, as the operator’s own page can', async () => {
    const write = (origin: string) =>
      server.app.inject({
        method: 'PUT',
        url: '/api/monitoring/stock',
        headers: { origin, cookie, 'sec-fetch-site': 'same-site' },
        payload: {},
      });
    const refused = await write(origin);
    expect([refused.statusCode, refused.json().type]).toEqual([403, '/problems/cross-site']);
    expect((await write('https://own.example.com')).statusCode).toBe(200);
    const out = await server.app.inject({ method: 'DELETE', url: SESSION, headers: { origin, cookie } });
    expect(out.statusCode).toBe(403);
  });

  it('a page of a listed origin reads and writes public routes', async () => {
    const read = await server.app.inject({ url: '/api/shop', headers: { origin } });
    expect(read.headers['access-control-allow-origin']).toBe(origin);
    const headers = { origin, 'access-control-request-method': 'PATCH' };
    const asked = await server.app.inject({ method: 'OPTIONS', url: '/api/shop/1', headers });
    expect([asked.statusCode, asked.headers['access-control-allow-origin']]).toEqual([204, origin]);
  });
});

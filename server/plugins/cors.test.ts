import fastifyCors from '@fastify/cors';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
  it('may read answers, errors and what stands in their headers', async () => {
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

  it('may ask beforehand, and remember the answer', async () => {
    const answer = await app.inject({ method: 'OPTIONS', url: '/api/things', headers: preflight(origin) });
    expect([answer.statusCode, answer.body]).toEqual([204, '']);
    const { headers } = answer;
    expect(headers['access-control-allow-methods']).toMatch(/\bPATCH\b/);
    expect(headers['access-control-allow-headers']).toMatch(/\bIf-Match\b.*\bX-API-Key\b/);
    expect(headers['access-control-max-age']).toBe('7200');
  });

  it('is told what @fastify/cors would tell it on each request', async () => {
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

it('says nothing beside the API, and nothing at all where nothing is set', async () => {
  const headers = { origin: ORIGINS[0] as string };
  expect(corsOf((await app.inject({ url: '/page', headers })).headers)).toEqual({});
  await using closed = await make([]);
  expect(corsOf((await closed.inject({ url: '/api/things', headers })).headers)).toEqual({});
});

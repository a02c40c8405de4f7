import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { crossSiteWrites } from './cross-site-writes.ts';
import { problems } from './problems.ts';

const LISTED = 'https://app.example.com';

let app: FastifyInstance;
beforeAll(async () => {
  app = Fastify({ trustProxy: ['10.0.0.0/8'] });
  await app.register(problems);
  await app.register(crossSiteWrites, { origins: [], corsOrigins: [LISTED] });
  app.route({ method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], url: '/', handler: async () => 'done' });
});
afterAll(() => app.close());

const COOKIE = { cookie: 'session=1', host: 'own.example.com' };
type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
const send = (headers: Record<string, string>, method: Method = 'POST') =>
  app.inject({ method, url: '/', headers, remoteAddress: '10.0.0.1' });

it.each<[string, Record<string, string>]>([
  ['a page of this host', { ...COOKIE, origin: 'https://own.example.com', 'sec-fetch-site': 'same-origin' }],
  ['the same in an older browser', { ...COOKIE, origin: 'https://own.example.com' }],
  [
    'the same behind a proxy that has renamed the host',
    { ...COOKIE, host: 'x', 'x-forwarded-host': 'a.b', origin: 'https://a.b' },
  ],
  ['a person who typed', { ...COOKIE, 'sec-fetch-site': 'none' }],
  ['a program with cookies', COOKIE],
  ['a page of a listed origin', { ...COOKIE, origin: LISTED, 'sec-fetch-site': 'cross-site' }],
  [
    'anybody without cookies',
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', 'x-api-key': 'k' },
  ],
])('%s may write', async (_who, headers) => {
  expect((await send(headers)).statusCode).toBe(200);
});

it.each<[string, Record<string, string>]>([
  ['another site', { ...COOKIE, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
  ['a subdomain', { ...COOKIE, origin: 'https://blog.example.com', 'sec-fetch-site': 'same-site' }],
  ['another port of this host', { ...COOKIE, origin: 'https://own.example.com:8443' }],
  ['a site that hides its origin', { ...COOKIE, 'sec-fetch-site': 'cross-site' }],
  ['another site in an older browser', { ...COOKIE, origin: 'https://evil.example' }],
  ['a sandboxed frame', { ...COOKIE, origin: 'null' }],
  ['a site whose name begins like ours', { ...COOKIE, origin: 'https://own.example.com.evil.example' }],
  ['a name with ours as its user', { ...COOKIE, origin: 'https://own.example.com@evil.example' }],
  [
    'a listed name over HTTP',
    { ...COOKIE, origin: 'http://app.example.com', 'sec-fetch-site': 'cross-site' },
  ],
  ['what is no origin', { ...COOKIE, origin: 'own.example.com' }],
  ['two values at once', { ...COOKIE, 'sec-fetch-site': 'same-origin, cross-site' }],
])('%s may not write with cookies', async (_who, headers) => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
    const answer = await send(headers, method);
    expect([answer.statusCode, answer.json().type]).toEqual([403, '/problems/cross-site']);
  }
});

it('lets everybody read', async () => {
  const headers = { ...COOKIE, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
  expect((await send(headers, 'GET')).statusCode).toBe(200);
  expect((await send(headers, 'HEAD')).statusCode).toBe(200);
});

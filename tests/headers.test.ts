import { once } from 'node:events';
import { request } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ProblemError } from '../server/platform/lib/problem.ts';
import type { Part } from '../server/platform/parts.ts';
import { createTestApp, type TestApp } from './support/app.ts';
import { createDatabase, type TestDatabase } from './support/postgres.ts';

const ORIGIN = 'https://app.example.com';
const KEY = 'Rt6Yb4oW8i2VqPjGfEdHs1McUn5BrL7wXa0TyQ9v3kZ';

const orders: Part = {
  name: 'orders',
  async routes(api) {
    const config = { access: 'operator' } as const;
    api.get('/api/orders', { config }, async () => []);
    api.post('/api/orders', { config }, async (_request, reply) => reply.code(201).send({ id: 1 }));
    api.delete('/api/orders/:id', { config }, async () => {
      throw new ProblemError('not-found', 'There is no such order.');
    });
  },
};

let database: TestDatabase;
let app: TestApp;
let address: string;

beforeAll(async () => {
  database = await createDatabase();
  const env = { CORS_ORIGINS: ORIGIN, INTERNAL_API_KEY: KEY };
  app = await createTestApp(database.url, env, { features: [() => orders] });
  address = await app.listen();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await database.drop();
});

/** The headers on the wire: an object of headers would show a repeated header once. */
async function ask(path: string, method = 'GET', headers: Record<string, string> = {}, body = '') {
  const sent = request(address + path, { method, headers });
  sent.end(body);
  const [answer] = await once(sent, 'response');
  answer.resume();
  const names = (answer.rawHeaders as string[])
    .filter((_, at) => at % 2 === 0)
    .map((name) => name.toLowerCase());
  return { status: answer.statusCode as number, headers: answer.headers, names };
}

const OPERATOR = { 'x-api-key': KEY };
const ORDER = JSON.stringify({ pieces: 1 });
const JSON_BODY = { 'content-type': 'application/json' };

it.each<[number, ...Parameters<typeof ask>]>([
  [200, '/api/status'],
  [200, '/api/status', 'HEAD'],
  [200, '/api/status', 'GET', { origin: ORIGIN }],
  [200, '/api/status', 'GET', { origin: 'https://else.example.com' }],
  [204, '/api/status', 'OPTIONS', { origin: ORIGIN, 'access-control-request-method': 'GET' }],
  [200, '/api/orders', 'GET', OPERATOR],
  [401, '/api/orders'],
  [201, '/api/orders', 'POST', { ...OPERATOR, ...JSON_BODY }, ORDER],
  [400, '/api/orders', 'POST', { ...OPERATOR, ...JSON_BODY }, '{'],
  [404, '/api/nothing'],
  [404, '/api/orders/999999', 'DELETE', OPERATOR],
  [405, '/api/status', 'PUT'],
  [401, '/api/monitoring/nothing', 'GET', { 'x-api-key': 'wrong' }],
  [200, '/api/openapi.json', 'GET', { 'accept-encoding': 'gzip' }],
  [200, '/api/openapi.json'],
  [200, '/live'],
  [200, '/ready'],
  [200, '/'],
  [206, '/', 'GET', { range: 'bytes=0-3' }],
  [404, '/nothing.js'],
  [400, '/%zz'],
])('%i with each header once, and all of those that protect: %s %s', async (status, ...what) => {
  const answer = await ask(...what);
  expect(answer.status).toBe(status);
  const twice = answer.names.filter((name, at) => answer.names.indexOf(name) !== at);
  // A list may come in parts (RFC 9110, 5.3).
  expect(twice.filter((name) => name !== 'vary')).toEqual([]);
  expect(answer.headers).toMatchObject(app.app.securityHeaders);
  expect(answer.headers['x-request-id']).toMatch(/^[\w-]{8,}$/);
});

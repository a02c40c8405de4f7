import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { createDatabase, type TestDatabase } from '../../../tests/support/postgres.ts';

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';
let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await createDatabase();
  server = await createTestApp(database.url, { INTERNAL_API_KEY: KEY });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

const BROWSER = 'text/html,application/xhtml+xml,*/*;q=0.8';

it.each([
  ['/dashboard', BROWSER, '/ops'],
  ['/dashboard', '*/*', '/ops'],
  ['/alerts', BROWSER, '/ops/alerts'],
  ['/alerts', 'application/json', '/api/monitoring/alerts'],
  ['/alerts', '*/*', '/api/monitoring/alerts'],
  ['/metrics/stream', 'text/event-stream', '/api/monitoring/stream'],
  ['/metrics/stream?log=info', 'text/event-stream', '/api/monitoring/stream?log=info'],
  ['/metrics/%73tream', 'text/event-stream', '/api/monitoring/stream'],
  ['/metrics/service/GET%20%2Flive', '*/*', '/api/monitoring/performance?route=GET%20%2Flive'],
  ['/metrics/service/a%26b%0d%0ax', '*/*', '/api/monitoring/performance?route=a%26b%0D%0Ax'],
])('%s leads a client that accepts %s to %s', async (url, accept, location) => {
  const answer = await server.app.inject({ url, headers: { accept } });
  expect([answer.statusCode, answer.headers.location, answer.body]).toEqual([302, location, '']);
});

it('leads to what is there, and is closed to strangers', async () => {
  await server.app.inject('/live');
  for (const [from, type] of [
    ['/alerts', 'application/json'],
    ['/metrics/service/GET%20%2Flive', 'application/json'],
    ['/dashboard', 'text/html'],
  ] as const) {
    const { headers } = await server.app.inject(from);
    const url = String(headers.location);
    const operator = await server.app.inject({ url, headers: { 'x-api-key': KEY, accept: `${type},*/*` } });
    expect([operator.statusCode, operator.headers['content-type']]).toEqual([
      200,
      expect.stringContaining(type),
    ]);
    if (url !== '/ops') expect((await server.app.inject(url)).statusCode).toBe(401);
  }
});

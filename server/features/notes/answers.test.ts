import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { type Description, readDescription } from '../../../tests/support/description.ts';
import { createDatabase, type TestDatabase } from '../../../tests/support/postgres.ts';
import { user } from '../../../tests/support/user.ts';

let database: TestDatabase;
let server: TestApp;
let description: Description;

beforeAll(async () => {
  database = await createDatabase();
  server = await createTestApp(database.url, { BODY_LIMIT_BYTES: '100000' });
  description = await readDescription(server);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

type Request = [
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  url: string,
  status: number,
  more?: { headers: Record<string, string>; payload?: string },
];
const body = (payload: unknown, headers: Record<string, string> = {}) => ({
  headers: { 'content-type': 'application/json', ...headers },
  payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
});
const foreign = { cookie: 'a=1', origin: 'https://evil.example' };

// In this order: the first note is made, changed and deleted on the way.
const REQUESTS: Request[] = [
  ['POST', '/api/notes', 201, body({ title: 'One', body: 'of them' })],
  ['GET', '/api/notes', 200],
  ['GET', '/api/notes?search=one&limit=1', 200],
  ['GET', '/api/notes?limit=0', 400],
  ['GET', '/api/notes?cursor=ours', 400],
  ['GET', '/api/notes/1', 200],
  ['GET', '/api/notes/999', 404],
  ['GET', '/api/notes/one', 400],
  ['PATCH', '/api/notes/1', 428, body({ title: 'Two' })],
  ['PATCH', '/api/notes/1', 412, body({ title: 'Two' }, { 'if-match': '"9"' })],
  ['PATCH', '/api/notes/1', 200, body({ title: 'Two' }, { 'if-match': '"1"' })],
  ['PATCH', '/api/notes/1', 403, body({ title: 'Two' }, foreign)],
  ['PATCH', '/api/notes/1', 400, body('{')],
  ['POST', '/api/notes', 400, body({ title: '' })],
  ['POST', '/api/notes', 415, { headers: { 'content-type': 'text/xml' }, payload: '<x/>' }],
  ['POST', '/api/notes', 413, body({ title: 'x'.repeat(200_000) })],
  ['DELETE', '/api/notes/1', 412, { headers: { 'if-match': '"1"' } }],
  ['DELETE', '/api/notes/1', 204],
  ['DELETE', '/api/notes/1', 404],
  ['POST', '/api/notes/1/restore', 200],
  ['POST', '/api/notes/999/restore', 404],
];

it.each(REQUESTS)('%s %s answers %i as it is described', async (method, url, status, more) => {
  const headers = { ...user.headers, ...more?.headers };
  const answer = await server.app.inject({ method, url, ...more, headers });
  expect(answer.statusCode, answer.body).toBe(status);
  const path = (url.split('?')[0] as string).replace(/\/notes\/\w+/, '/notes/{id}');
  description.expectDescribed(path, method, answer);
});

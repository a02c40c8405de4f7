import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { readEvents } from '../../../tests/support/event-reader.ts';
import { createDatabase, type TestDatabase } from '../../../tests/support/postgres.ts';
import { until } from '../../../tests/support/until.ts';
import type { Identity } from '../../platform/parts.ts';

/** Believes a header. For tests: anybody can send one. */
const identity: Identity = {
  async identify({ headers: { 'x-user': user } }) {
    if (user === undefined) return undefined;
    return { userId: String(user), permissions: new Set(['notes:read', 'notes:write']) };
  },
};

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await createDatabase();
  server = await createTestApp(database.url, {}, { identity });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

const write = async (user: string, title: string): Promise<number> => {
  const headers = { 'x-user': user };
  return (await server.app.inject({ method: 'POST', url: '/api/notes', headers, payload: { title } })).json()
    .id;
};

it('is not told of on open pages', async () => {
  const url = await server.listen();
  for (const topics of ['notes', 'notes:ada', 'notes:']) {
    expect((await readEvents(url, topics, { 'x-user': 'bob' })).status).toBeGreaterThanOrEqual(400);
  }
  using stream = await readEvents(url, 'notes:bob', { 'x-user': 'bob' });
  await stream.joined();
  await write('ada', 'Diary');
  const id = await write('bob', 'Errands');
  await until('the event', () => stream.payloads().length > 0);
  expect(stream.payloads()).toEqual([{ id, version: 1 }]);
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import type { Identity, PersonalData } from '../../platform/parts.ts';

/** Believes a header. For tests: anybody can send one. */
const identity: Identity = {
  async identify({ headers: { 'x-user': user, 'x-only': only } }) {
    if (user === undefined) return undefined;
    return {
      userId: String(user),
      permissions: new Set([`notes:${only ?? 'read'}`, `notes:${only ?? 'write'}`]),
    };
  },
};

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  server = await createTestApp(database.url, {}, { identity });
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await query(database.url, 'truncate notes');
});

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
async function ask(user: string, method: Method, path = '', payload?: object, headers = {}) {
  const answer = await server.app.inject({
    method,
    url: `/api/notes${path}`,
    headers: { 'x-user': user, 'if-match': '*', ...headers },
    ...(payload && { payload }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? undefined : answer.json() };
}
const write = async (user: string, title: string): Promise<number> =>
  (await ask(user, 'POST', '', { title })).body.id;
const titles = async (user: string, query = ''): Promise<string[]> =>
  (await ask(user, 'GET', query)).body.items.map(({ title }: { title: string }) => title);

describe('a note of another user', () => {
  it('is not listed, found, read, changed, deleted or restored, and says nothing of itself', async () => {
    const id = await write('ada', 'Diary');
    await write('bob', 'Errands');
    expect([await titles('bob'), await titles('bob', '?search=diary')]).toEqual([['Errands'], []]);
    expect([await titles('ada'), await titles('ada', '?search=di')]).toEqual([['Diary'], ['Diary']]);
    const nothing = await ask('bob', 'GET', '/999999');
    for (const [method, path, payload] of [
      ['GET', `/${id}`, undefined],
      ['PATCH', `/${id}`, { title: 'Mine now' }],
      ['DELETE', `/${id}`, undefined],
      ['POST', `/${id}/restore`, undefined],
    ] as const) {
      const { status, body } = await ask('bob', method, path, payload);
      expect([method, status, body.detail]).toEqual([method, 404, `There is no note ${id}.`]);
      expect(body.title).toBe(nothing.body.title);
    }
    await ask('ada', 'DELETE', `/${id}`);
    expect((await ask('bob', 'POST', `/${id}/restore`)).status).toBe(404);
    expect((await ask('ada', 'POST', `/${id}/restore`)).status).toBe(200);
  });

  it('does not become one by naming an owner', async () => {
    const { status } = await ask('bob', 'POST', '', { title: 'For Ada', ownerId: 'ada' });
    expect(status).toBe(400);
  });
});

it('is written and read with permissions of their own', async () => {
  const id = await write('ada', 'Diary');
  const reader = { 'x-only': 'read' };
  expect((await ask('ada', 'GET', `/${id}`, undefined, reader)).status).toBe(200);
  expect((await ask('ada', 'POST', '', { title: 'x' }, reader)).status).toBe(403);
  expect((await ask('ada', 'DELETE', `/${id}`, undefined, reader)).status).toBe(403);
  expect((await ask('ada', 'GET', `/${id}`, undefined, { 'x-only': 'write' })).status).toBe(403);
});

it('of the time before accounts belongs to no user, until one is made its owner', async () => {
  await query(database.url, "insert into notes (title) values ('Old')");
  expect(await titles('ada')).toEqual([]);
  await query(database.url, "update notes set owner_id = 'ada' where owner_id = ''");
  expect([await titles('ada'), await titles('bob')]).toEqual([['Old'], []]);
});

it('that a user wrote, and no other, is exported and erased', async () => {
  const id = await write('ada', 'Diary');
  const deleted = await write('ada', 'Regret');
  await ask('ada', 'DELETE', `/${deleted}`);
  await write('bob', 'Errands');
  const personal = server.features.find(({ name }) => name === 'notes')?.personalData as PersonalData;
  expect(await personal.export('ada', 'ada@example.com')).toMatchObject([
    { id, title: 'Diary', deletedAt: null },
    { id: deleted, title: 'Regret' },
  ]);
  expect(await personal.export('eve', 'ada@example.com')).toBeUndefined();
  await server.database.transaction((tx) => personal.erase(tx, 'ada', 'ada@example.com'));
  expect((await query(database.url, 'select title from notes')).rows).toEqual([{ title: 'Errands' }]);
});

/** Whatever two users do, in whichever order: no answer holds a note of the other. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApp } from '../server/app.ts';
import { createTestApp, type TestApp } from './support/app.ts';
import { makeSession, makeUser, SESSION_SECRET } from './support/people.ts';
import { createDatabase, query, type TestDatabase } from './support/postgres.ts';

const USERS = ['ada', 'bob'] as const;
type User = (typeof USERS)[number];

let database: TestDatabase;
let server: TestApp;
const cookies = {} as Record<User, string>;

beforeAll(async () => {
  database = await createDatabase();
  server = await createTestApp(
    database.url,
    { SESSION_SECRET, PUBLIC_URL: 'http://app.test' },
    // As it is delivered, accounts included.
    { compose: (platform) => createApp(platform) },
  );
  for (const user of USERS) {
    cookies[user] = (await makeSession(database.url, await makeUser(database.url, user))).cookie;
  }
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

/** `at` chooses among all notes that there are, of either user; a title says whose it is. */
const operation = fc.record({
  user: fc.constantFrom(...USERS),
  kind: fc.constantFrom('create', 'list', 'search', 'read', 'change', 'delete', 'restore', 'page'),
  at: fc.nat(30),
  /** A name of the field, or a query, that might choose the owner. */
  smuggle: fc.constantFrom({}, { ownerId: 'bob' }, { owner_id: 'bob' }, { userId: 'bob' }),
});
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

async function run({ user, kind, at, smuggle }: Operation, ids: { id: number; user: User }[]) {
  const target = ids.length === 0 ? undefined : ids[at % ids.length];
  const one = `/api/notes/${target?.id ?? 1}`;
  const title = `of ${user}`;
  const from = new URLSearchParams(smuggle as Record<string, string>);
  const [method, url, payload] = {
    create: ['POST', '/api/notes', { title, ...smuggle }],
    list: ['GET', `/api/notes?${from}`],
    page: ['GET', `/api/notes?limit=1&${from}`],
    search: ['GET', '/api/notes?search=of'],
    read: ['GET', `${one}?${from}`],
    change: ['PATCH', one, { title, ...smuggle }],
    delete: ['DELETE', one],
    restore: ['POST', `${one}/restore`],
  }[kind] as ['GET', string, object?];
  const answer = await server.app.inject({
    method,
    url,
    headers: { cookie: cookies[user], 'if-match': '*' },
    ...(payload && { payload }),
  });
  const what = `${user} ${method} ${url} ${JSON.stringify(payload ?? '')}: ${answer.statusCode} ${answer.body}`;
  if (kind === 'create' && answer.statusCode === 201) ids.push({ id: answer.json().id, user });
  expect(answer.statusCode, what).toBeLessThan(500);
  const other = user === 'ada' ? 'bob' : 'ada';
  expect(answer.body, what).not.toContain(`of ${other}`);
  const isOfOne = ['read', 'change', 'delete', 'restore'].includes(kind);
  // 400: of a field that there is not.
  if (isOfOne && target?.user === other) expect([400, 404], what).toContain(answer.statusCode);
}

it('holds for every order of operations', async () => {
  let answers = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40 }), async (operations) => {
      const ids: { id: number; user: User }[] = [];
      for (const each of operations) await run(each, ids);
      answers += operations.length;
      // What a user has written is still as it was written by that user.
      const { rows } = await query(
        database.url,
        `select count(*) from notes join users on users.id = owner_id where title <> 'of ' || name`,
      );
      expect(rows[0].count).toBe('0');
    }),
    { numRuns: 40 },
  );
  expect(answers).toBeGreaterThan(200);
});

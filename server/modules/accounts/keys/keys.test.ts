import { eq } from 'drizzle-orm';
import type { FastifyRequest } from 'fastify';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { MadeKey } from '#contracts/accounts/keys.ts';
import { createTestApp, type TestApp } from '../../../../tests/support/app.ts';
import { createDatabase, query, type TestDatabase } from '../../../../tests/support/postgres.ts';
import type { Identity, Part, Platform } from '../../../platform/parts.ts';
import { hashToken } from '../flows/cookies.ts';
import { Roles } from '../roles.ts';
import { UserChanges } from '../sessions/changes.ts';
import { inPerson } from '../sessions/identity.ts';
import { apiKeys, users } from '../table.ts';
import { ApiKeys } from './api-keys.ts';
import { isWellFormed, keyIn, newKey } from './format.ts';
import { keyRoutes } from './routes.ts';

const ROLES: Record<string, string[]> = { editor: ['orders:read', 'orders:write'], reader: ['orders:read'] };
const OPERATORS_KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';

let database: TestDatabase;
let server: TestApp;
/** Keys and their routes, with an identity that believes a header. */
function keyed(platform: Platform): Part & { identity: Identity } {
  const { db, log, listener, database: pool } = platform;
  const roles = new Roles(ROLES);
  const changes = new UserChanges({ db, listener });
  const keys = new ApiKeys({ db, log, roles, changes, requireVerified: true, windowMs: 60_000 });
  return {
    name: 'keyed',
    permissions: { 'orders:read': 'Read orders.', 'orders:write': 'Change orders.' },
    async routes(app, { permissions }) {
      roles.declare(permissions);
      await app.register(async (account) => {
        await account.register(inPerson);
        await account.register(keyRoutes, { database: pool, keys, permissions, changes });
      });
      const handler = async ({ scope }: FastifyRequest) => ({
        ...scope,
        permissions: [...(scope?.permissions ?? [])],
      });
      app.get('/api/orders', { config: { access: { permission: 'orders:read' } } }, handler);
      app.post('/api/orders', { config: { access: { permission: 'orders:write' } } }, handler);
      app.get('/api/mine', { config: { access: 'user' } }, handler);
      app.get('/api/secrets', { config: { access: 'operator' } }, handler);
      app.get('/api/everybody', { config: { access: 'public' } }, handler);
    },
    async end() {
      changes.end();
    },
    identity: {
      async identify(request, permission) {
        const byKey = await keys.identify(request, permission);
        const { 'x-user': user, 'x-old': old, 'x-impersonated': impersonated } = request.headers;
        if (byKey !== undefined || typeof user !== 'string') return byKey;
        const [row] = await db.select().from(users).where(eq(users.id, user));
        const session = {
          id: 's',
          expiresAt: new Date(Date.now() + 60_000),
          authenticatedAt: new Date(old ? 0 : Date.now()),
          isOperator: false,
          impersonatedBy: impersonated ? { id: 'o', name: 'Olga' } : null,
        };
        return row && { userId: user, permissions: roles.permissionsOf(row.roles), session };
      },
    },
  };
}

beforeAll(async () => {
  database = await createDatabase();
  server = await createTestApp(
    database.url,
    { INTERNAL_API_KEY: OPERATORS_KEY },
    {
      compose(platform) {
        const part = keyed(platform);
        return { modules: [], features: [part], identity: part.identity };
      },
    },
  );
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});
beforeEach(async () => {
  await query(database.url, 'delete from users');
  await server.database.db.insert(users).values([
    { id: 'ada', name: 'Ada', email: 'ada@example.com', emailVerified: true, roles: ['editor'] },
    { id: 'bob', name: 'Bob', email: 'bob@example.com', emailVerified: true, roles: ['reader'] },
  ]);
});

/** As another replica does that has changed the user. */
const changed = async (sql: string) => {
  await query(database.url, sql);
  await query(database.url, `select pg_notify('users', 'ada')`);
};

type Ask = {
  method?: 'GET' | 'POST' | 'DELETE';
  payload?: object;
  headers?: Record<string, string>;
  url?: string;
};

/** As a person who is signed in. */
const person = (user: string, url: string, { headers, ...more }: Ask = {}) =>
  server.app.inject({ url, ...more, headers: { 'x-user': user, ...headers } });
/** As a program. */
const program = (key: string, url: string, { headers, ...more }: Ask = {}) =>
  server.app.inject({ url, ...more, headers: { authorization: `Bearer ${key}`, ...headers } });

async function make(user = 'ada', payload: object = { permissions: ['orders:read'] }): Promise<MadeKey> {
  const answer = await person(user, '/api/account/keys', {
    method: 'POST',
    payload: { name: 'CI', ...payload },
  });
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json();
}
const list = async (user = 'ada') => (await person(user, '/api/account/keys')).json();

it('a key acts within its permissions, and is shown once', async () => {
  const { key, apiKey } = await make();
  expect(key).toMatch(/^flt_[0-9a-f]{16}_[0-9a-f]{72}$/);
  expect(key.startsWith(apiKey.start)).toBe(true);
  const answer = await program(key, '/api/orders');
  expect([answer.statusCode, answer.json()]).toEqual([200, { userId: 'ada', permissions: ['orders:read'] }]);
  expect((await program(key, '/api/orders', { method: 'POST' })).statusCode).toBe(403);
  expect(await list()).toMatchObject({
    items: [{ id: apiKey.id, name: 'CI', permissions: ['orders:read'] }],
    permissions: { 'orders:read': 'Read orders.', 'orders:write': 'Change orders.' },
  });
  // Neither the list nor the table nor the log has it again.
  const secret = key.slice(-72);
  const rows = await query(database.url, 'select * from api_keys');
  expect(JSON.stringify([await list(), rows, server.lines])).not.toContain(secret);
});

it('a key has what its owner has now, and no more', async () => {
  const { key } = await make('ada', { permissions: ['orders:read', 'orders:write'] });
  expect((await program(key, '/api/orders', { method: 'POST' })).statusCode).toBe(200);
  await changed(`update users set roles = '{reader}' where id = 'ada'`);
  await expect.poll(async () => (await program(key, '/api/orders', { method: 'POST' })).statusCode).toBe(403);
  expect((await program(key, '/api/orders')).json().permissions).toEqual(['orders:read']);
  // Nobody hands on what they do not have, nor what nothing declares.
  for (const permission of ['orders:write', 'everything']) {
    const payload = { name: 'CI', permissions: [permission] };
    const refused = await person('bob', '/api/account/keys', { method: 'POST', payload });
    expect([refused.statusCode, refused.json().detail]).toEqual([403, expect.stringContaining(permission)]);
  }
});

it('a key opens routes with a permission, and no others', async () => {
  const { key, apiKey } = await make('ada', { permissions: ['orders:read', 'orders:write'] });
  const statuses = async (given: string) =>
    Promise.all(
      [
        program(given, '/api/mine'),
        program(given, '/api/account/keys'),
        program(given, '/api/account/keys', { method: 'POST', payload: { name: 'x', permissions: [] } }),
        program(given, `/api/account/keys/${apiKey.id}`, { method: 'DELETE' }),
        program(given, '/api/secrets'),
        program(given, '/api/monitoring/traffic'),
        program(given, '/api/everybody'),
      ].map(async (answer) => (await answer).statusCode),
    );
  expect(await statuses(key)).toEqual([403, 403, 403, 403, 401, 401, 200]);
  // It does not lend itself to a person's session either, and is not looked for in an address or another header.
  const beside = await program(key, '/api/mine', { headers: { 'x-user': 'ada' } });
  expect(beside.statusCode).toBe(403);
  for (const url of [`/api/orders?key=${key}`, `/api/orders?authorization=Bearer%20${key}`]) {
    expect((await server.app.inject({ url })).statusCode).toBe(401);
  }
  expect((await server.app.inject({ url: '/api/orders', headers: { 'x-api-key': key } })).statusCode).toBe(
    401,
  );
});

it('an expired, ended, banned or invented key is refused', async () => {
  const { key, apiKey } = await make('ada', { permissions: ['orders:read'], expiresInDays: 1 });
  const refusal = async (given: string) => {
    const answer = await program(given, '/api/orders');
    return answer.statusCode === 200 ? 200 : [answer.statusCode, answer.json().detail];
  };
  const { key: invented } = newKey();
  expect(await refusal(invented)).toEqual([401, 'This API key is not valid.']);
  expect((await program(invented, '/api/orders')).headers['www-authenticate']).toContain('invalid_token');
  // Within less than the ten seconds that a key stays in memory.
  const becomes = (expected: unknown) =>
    expect.poll(() => refusal(key), { timeout: 9_000 }).toEqual(expected);
  expect(await refusal(key)).toBe(200);
  await changed(`update users set banned_at = now() where id = 'ada'`);
  await becomes([403, 'This account is banned.']);
  await changed(`update users set banned_until = now() - interval '1 s' where id = 'ada'`);
  await becomes(200);
  await changed(`update users set email_verified = false where id = 'ada'`);
  await becomes([403, expect.stringMatching(/^Verify your email/)]);
  await changed(`update users set email_verified = true where id = 'ada'`);
  await changed(`update api_keys set expires_at = now() where id = '${apiKey.id}'`);
  await becomes([401, 'This API key has expired.']);
  await changed(`update api_keys set expires_at = null where id = '${apiKey.id}'`);
  await becomes(200);
  expect((await person('bob', `/api/account/keys/${apiKey.id}`, { method: 'DELETE' })).statusCode).toBe(404);
  expect((await person('ada', `/api/account/keys/${apiKey.id}`, { method: 'DELETE' })).statusCode).toBe(204);
  // At once in this process, although it was in memory.
  expect(await refusal(key)).toEqual([401, 'This API key is not valid.']);
});

it('a rotated key and its successor both work until the overlap ends', async () => {
  const { key, apiKey } = await make('ada', { permissions: ['orders:read'], expiresInDays: 90 });
  const rotate = (overlapHours: number, id = apiKey.id, user = 'ada') =>
    person(user, `/api/account/keys/${id}/rotate`, { method: 'POST', payload: { overlapHours } });
  expect((await rotate(1, apiKey.id, 'bob')).statusCode).toBe(404);
  const made: MadeKey = (await rotate(1)).json();
  expect(made.apiKey).toMatchObject({ name: 'CI', permissions: ['orders:read'] });
  const days = (Date.parse(String(made.apiKey.expiresAt)) - Date.now()) / 86_400_000;
  expect(days).toBeCloseTo(90, 1);
  for (const each of [key, made.key]) expect((await program(each, '/api/orders')).statusCode).toBe(200);
  const { items } = await list();
  const old = items.find(({ id }: { id: string }) => id === apiKey.id);
  expect((Date.parse(old.expiresAt) - Date.now()) / 3_600_000).toBeCloseTo(1, 1);
  // A second rotation does not lengthen its life, and one without overlap ends it.
  await rotate(700);
  expect((await list()).items.find(({ id }: { id: string }) => id === apiKey.id).expiresAt).toBe(
    old.expiresAt,
  );
  await rotate(0);
  expect((await program(key, '/api/orders')).statusCode).toBe(401);
  expect((await rotate(0)).statusCode).toBe(404);
});

it('needs a recent sign-in, by the user', async () => {
  const { apiKey } = await make();
  const payload = { name: 'CI', permissions: [] };
  const old = { 'x-old': '1' };
  const impersonated = { 'x-impersonated': '1' };
  const path = `/api/account/keys/${apiKey.id}`;
  const statuses = (headers: Record<string, string>) =>
    Promise.all([
      person('ada', '/api/account/keys', { method: 'POST', payload, headers }),
      person('ada', `${path}/rotate`, { method: 'POST', payload: { overlapHours: 0 }, headers }),
    ]);
  for (const answer of await statuses(old)) expect(answer.json().type).toBe('/problems/reauthenticate');
  for (const answer of await statuses(impersonated)) expect(answer.statusCode).toBe(403);
  const end = (headers: Record<string, string>) => person('ada', path, { method: 'DELETE', headers });
  expect((await end(impersonated)).statusCode).toBe(403);
  expect((await list()).items).toHaveLength(1);
  // To end a key that has leaked must not wait for a password.
  expect((await end(old)).statusCode).toBe(204);
});

it('there are no more than 50, although many are made at once', async () => {
  const hashes = Array.from({ length: 48 }, () => newKey());
  await server.database.db
    .insert(apiKeys)
    .values(
      hashes.map(({ id, key }) => ({ id, userId: 'ada', name: 'x', hash: hashToken(key), permissions: [] })),
    );
  const payload = { name: 'CI', permissions: [] };
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => person('ada', '/api/account/keys', { method: 'POST', payload })),
  );
  expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 200, 409, 409, 409]);
});

it('the last use is written after the answer, at most once a minute', async () => {
  const { key, apiKey } = await make();
  const address = await server.listen();
  const use = () =>
    fetch(`${address}/api/orders`, { headers: { authorization: `Bearer ${key}` } }).then((it) => it.text());
  const lastUsed = async () => (await list()).items[0].lastUsedAt;
  expect(await lastUsed()).toBeNull();
  await use();
  await expect.poll(lastUsed).not.toBeNull();
  const first = await lastUsed();
  for (let n = 0; n < 5; n++) await use();
  expect(await lastUsed()).toBe(first);
  await changed(`update api_keys set last_used_at = now() - interval '61 s' where id = '${apiKey.id}'`);
  const isNew = async () => {
    await use();
    return Date.parse(await lastUsed()) >= Date.parse(first);
  };
  await expect.poll(isNew).toBe(true);
});

it('wrong keys from one address are counted, and the right one is not refused', async () => {
  const { key } = await make();
  const guess = async () => (await program(newKey().key, '/api/orders')).statusCode;
  const answers: number[] = [];
  for (let n = 0; n < 12; n++) answers.push(await guess());
  expect(answers.at(-1)).toBe(429);
  expect((await program(key, '/api/orders')).statusCode).toBe(200);
});

it('is known by its form, and a mistyped one by its checksum', () => {
  const { key } = newKey();
  expect(isWellFormed(key)).toBe(true);
  expect(isWellFormed(`${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`)).toBe(false);
  expect(isWellFormed(key, 'acme')).toBe(false);
  expect(isWellFormed(newKey('acme').key, 'acme')).toBe(true);
  expect(keyIn(`bearer  ${key} `)).toBe(key);
  for (const other of [
    undefined,
    '',
    `Basic ${key}`,
    `Bearer ${OPERATORS_KEY}`,
    'Bearer fltx',
    `Bearer a ${key}`,
  ]) {
    expect(keyIn(other)).toBeUndefined();
  }
});

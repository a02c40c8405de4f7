import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTestApp, type TestApp } from '../../../../tests/support/app.ts';
import {
  cookieOf,
  makeSession,
  makeUser,
  SESSION_SECRET,
  type UserColumns,
} from '../../../../tests/support/people.ts';
import { createDatabase, query, type TestDatabase } from '../../../../tests/support/postgres.ts';
import { until } from '../../../../tests/support/until.ts';
import type { Identity, Part } from '../../../platform/parts.ts';
import { hashToken, sessionCookie } from '../flows/cookies.ts';
import { Roles } from '../roles.ts';
import { UserChanges } from './changes.ts';
import { accountsIdentity, inPerson, requireRecentSignIn } from './identity.ts';
import { SessionCheck } from './session-check.ts';

const OTHER_SECRET = 'Y4kT8mZq1Wc6RvN3xL9bPdJ2sHfGyUe7aQ5oCi0EwVt';
const HOUR = 3_600_000;
const ago = (ms: number) => new Date(Date.now() - ms);

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

interface Replica {
  server: TestApp;
  changes: UserChanges;
  /** Statements that look for a session. */
  lookUps(): number;
  spy: { mockRestore(): void };
  ask(headers?: Record<string, string>, url?: string): Promise<{ status: number; body: never }>;
}

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';

async function start(options: Partial<Parameters<typeof accountsIdentity>[0]> = {}): Promise<Replica> {
  let identity: Identity | undefined;
  let changes: UserChanges | undefined;
  let check: SessionCheck | undefined;
  const roles = new Roles({ user: ['orders:read'], clerk: ['orders:write'] });
  roles.declare(new Map(['orders:read', 'orders:write', 'orders:erase'].map((name) => [name, ''])));
  const shop: Part = {
    name: 'shop',
    async routes(app) {
      app.get('/api/whoami', { config: { access: 'user' } }, async ({ scope }) => ({
        ...scope,
        permissions: [...(scope?.permissions ?? [])],
      }));
      app.get('/api/operate', { config: { access: 'operator' } }, async ({ scope }) => ({
        by: scope?.userId ?? 'a key',
      }));
      app.get('/api/recent', { config: { access: 'operator' } }, async (request) => {
        requireRecentSignIn(request);
        return {};
      });
      await app.register(async (own) => {
        await own.register(inPerson);
        own.get('/api/credentials', { config: { access: 'user' } }, async () => ({}));
        own.get('/api/my-name', { config: { access: 'user', whileImpersonated: true } }, async () => ({}));
      });
    },
  };
  const server = await createTestApp(
    database.url,
    { SESSION_SECRET, INTERNAL_API_KEY: KEY },
    {
      identity: {
        identify: (request) => (identity as Identity).identify(request),
        identifyOperator: async (request) => identity?.identifyOperator?.(request),
      },
      features: [
        (handed) => {
          changes = new UserChanges(handed);
          const sessions = new SessionCheck({
            ...handed,
            changes,
            cookieName: sessionCookie(false),
            secrets: [OTHER_SECRET, SESSION_SECRET],
            idleSeconds: 3 * 24 * 3_600,
          });
          check = sessions;
          identity = accountsIdentity({
            sessions,
            roles,
            cookieName: sessionCookie(false),
            requireVerified: true,
            operatorsNeedSecondFactor: false,
            ...options,
          });
          return shop;
        },
      ],
    },
  );
  const reads = vi.spyOn(check as unknown as SessionCheck, 'read');
  return {
    server,
    changes: changes as unknown as UserChanges,
    spy: reads,
    lookUps: () => reads.mock.calls.length,
    async ask(headers = {}, url = '/api/whoami') {
      const answer = await server.app.inject({ url, headers });
      return { status: answer.statusCode, body: answer.json() as never };
    },
  };
}

let a: Replica;
let b: Replica;
beforeEach(async () => {
  a = await start();
  b = await start();
});
afterEach(async () => {
  vi.useRealTimers();
  for (const { server, changes } of [a, b]) {
    changes.end();
    await server[Symbol.asyncDispose]();
  }
});

/** Stops the clock, so that nothing in memory expires. */
const stopTime = () => vi.useFakeTimers({ toFake: ['Date'] });

/** Asks until the session is in memory, as it is once changes are listened to. */
async function warm(replica: Replica, cookie: string): Promise<void> {
  await until('a session in memory', async () => {
    const before = replica.lookUps();
    expect((await replica.ask({ cookie })).status).toBe(200);
    return replica.lookUps() === before;
  });
}

describe('a session', () => {
  it('tells the user and what the roles allow', async () => {
    const ada = await makeUser(database.url, 'Ada', { roles: ['clerk', 'gone'] });
    const { id, cookie } = await makeSession(database.url, ada);
    expect(await a.ask({ cookie })).toMatchObject({
      status: 200,
      body: {
        userId: ada,
        permissions: ['orders:read', 'orders:write'],
        session: { id, isOperator: false, impersonatedBy: null },
      },
    });
  });

  it('is read once, and then for ten seconds from memory', async () => {
    const { cookie } = await makeSession(database.url, await makeUser(database.url, 'Ada'));
    stopTime();
    await warm(a, cookie);
    const before = a.lookUps();
    vi.setSystemTime(Date.now() + 9_000);
    for (let n = 0; n < 20; n++) await a.ask({ cookie, 'x-n': String(n) });
    expect(a.lookUps()).toBe(before);
    vi.setSystemTime(Date.now() + 1_001);
    await a.ask({ cookie });
    expect(a.lookUps()).toBe(before + 1);
  });

  it('costs no query where no signature is right, and opens no connection to listen where nobody signs in', async () => {
    const listening = async () => {
      const { rowCount } = await query(
        database.url,
        "select 1 from pg_stat_activity where datname = current_database() and application_name = 'test listener'",
      );
      return rowCount;
    };
    await until('those of the test before to end', async () => (await listening()) === 0);
    const { token, cookie } = await makeSession(database.url, await makeUser(database.url, 'Ada'));
    const name = sessionCookie(false);
    const wrong = cookieOf(token, 'another secret than the server has, of enough length');
    const forms = [
      '',
      'theme=dark',
      name,
      `${name}=`,
      `${name}=;`,
      `${name}=${token}`,
      `${name}=${token}.`,
      `${name}=%zz`,
      `${name}=${'x'.repeat(5_000)}.y`,
      wrong,
      cookie.slice(0, -8),
      cookie.replace(/=(.)/, (_, first) => `=${first === 'a' ? 'b' : 'a'}`),
      cookie.replace(name, `x${name}`),
      cookie.replace(name, `__Host-${name}`),
    ];
    for (const form of forms) {
      expect([form, (await a.ask(form === '' ? {} : { cookie: form })).status]).toEqual([form, 401]);
    }
    expect(a.lookUps()).toBe(0);
    expect(await listening()).toBe(0);
  });

  it('is found behind a cookie that another host of the site has set', async () => {
    const { cookie } = await makeSession(database.url, await makeUser(database.url, 'Ada'));
    const tossed = `${sessionCookie(false)}=tossed.x; ${cookie}`;
    expect((await a.ask({ cookie: tossed })).status).toBe(200);
    const eve = await makeSession(database.url, await makeUser(database.url, 'Eve'));
    // One of their own cannot be told from the right one here; over TLS no other host can set `__Host-`.
    expect(sessionCookie(true)).toMatch(/^__Host-/);
    expect((await a.ask({ cookie: `${eve.cookie}; ${cookie}` })).status).toBe(200);
  });

  it('may be signed with any of the secrets', async () => {
    const { token } = await makeSession(database.url, await makeUser(database.url, 'Ada'));
    for (const secret of [SESSION_SECRET, OTHER_SECRET]) {
      expect((await a.ask({ cookie: cookieOf(token, secret) })).status).toBe(200);
    }
  });

  it.each<[string, number, Record<string, unknown>, UserColumns]>([
    ['has expired', 401, { expires_at: ago(1_000) }, {}],
    ['was not used for three days', 401, { updated_at: ago(73 * HOUR) }, {}],
    ['is of a user who is banned', 403, {}, { banned_at: ago(HOUR) }],
    [
      'is of a user who is banned for another hour',
      403,
      {},
      { banned_at: ago(HOUR), banned_until: ago(-HOUR) },
    ],
    ['is of a user whose ban is over', 200, {}, { banned_at: ago(HOUR), banned_until: ago(1_000) }],
    ['is of a user with an address that nobody has verified', 403, {}, { email_verified: false }],
  ])('that %s is answered %i', async (_, status, session, user) => {
    const userId = await makeUser(database.url, 'Ada', user);
    const { cookie } = await makeSession(database.url, userId, session);
    expect((await a.ask({ cookie })).status).toBe(status);
    expect((await a.ask({ cookie })).status).toBe(status);
  });

  it('ends in memory when it expires there', async () => {
    stopTime();
    const expiresAt = new Date(Date.now() + 5_000);
    const { cookie } = await makeSession(database.url, await makeUser(database.url, 'Ada'), {
      expires_at: expiresAt,
    });
    await warm(a, cookie);
    vi.setSystemTime(expiresAt);
    expect((await a.ask({ cookie })).status).toBe(401);
  });

  it('notes when it was last seen, once in five minutes', async () => {
    const { id, cookie } = await makeSession(database.url, await makeUser(database.url, 'Ada'), {
      updated_at: ago(6 * 60_000),
    });
    const seen = async () =>
      (
        await query(database.url, 'select updated_at from sessions where id = $1', [id])
      ).rows[0].updated_at.getTime();
    await a.ask({ cookie });
    await until('the time of this use', async () => (await seen()) > Date.now() - 60_000);
    const then = await seen();
    await b.ask({ cookie });
    await b.ask({ cookie });
    expect(await seen()).toBe(then);
  });
});

describe('a change', () => {
  const changesOf: [string, number, (userId: string) => Promise<unknown>][] = [
    [
      'the end of the session',
      401,
      (id) => query(database.url, 'delete from sessions where user_id = $1', [id]),
    ],
    ['a ban', 403, (id) => query(database.url, 'update users set banned_at = now() where id = $1', [id])],
  ];

  it.each(changesOf)(
    'such as %s reaches another replica before its memory ends',
    async (_, status, change) => {
      const userId = await makeUser(database.url, 'Ada');
      const { cookie } = await makeSession(database.url, userId);
      const other = await makeSession(database.url, await makeUser(database.url, 'Bob'));
      stopTime();
      for (const replica of [a, b]) {
        await warm(replica, cookie);
        await warm(replica, other.cookie);
      }
      await change(userId);
      expect((await b.ask({ cookie })).status).toBe(200);
      await a.changes.changed(userId);
      expect((await a.ask({ cookie })).status).toBe(status);
      await until('the change', async () => (await b.ask({ cookie })).status === status);
      // What is known of others stays.
      const before = b.lookUps();
      expect((await b.ask({ cookie: other.cookie })).status).toBe(200);
      expect(b.lookUps()).toBe(before);
    },
  );

  it('of roles within a transaction is told once it is committed', async () => {
    const userId = await makeUser(database.url, 'Ada');
    const { cookie } = await makeSession(database.url, userId);
    stopTime();
    await warm(b, cookie);
    await a.server.database.transaction(async (tx) => {
      await tx.execute(`update users set roles = '{clerk}' where id = '${userId}'`);
      a.changes.changedIn(tx, userId);
    });
    const allowed = async () => (await b.ask({ cookie })).body as { permissions: string[] };
    await until('the new role', async () => (await allowed()).permissions.includes('orders:write'));
  });

  it('during a look-up is not overtaken by it', async () => {
    const userId = await makeUser(database.url, 'Ada');
    const { cookie, token } = await makeSession(database.url, userId);
    await warm(a, (await makeSession(database.url, userId)).cookie);
    const late = Promise.withResolvers<void>();
    const read = SessionCheck.prototype.read;
    vi.spyOn(SessionCheck.prototype, 'read').mockImplementation(async function (this: SessionCheck, given) {
      const row = await read.call(this, given);
      await late.promise;
      return row;
    });
    a.spy.mockRestore();
    const asked = a.ask({ cookie });
    await until('the look-up', () => vi.mocked(SessionCheck.prototype.read).mock.calls.length === 1);
    await query(database.url, 'delete from sessions where token = $1', [hashToken(token)]);
    await a.changes.changed(userId);
    late.resolve();
    expect((await asked).status).toBe(200);
    vi.mocked(SessionCheck.prototype.read).mockRestore();
    expect((await a.ask({ cookie })).status).toBe(401);
  });

  it('is missed by nobody while the listener is away: then nothing is kept', async () => {
    const userId = await makeUser(database.url, 'Ada');
    const { cookie } = await makeSession(database.url, userId);
    await warm(b, cookie);
    await query(
      database.url,
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
       and application_name = 'test listener'`,
    );
    await until('the end of the connection', () => !b.changes.heard);
    await query(database.url, 'delete from sessions where user_id = $1', [userId]);
    expect((await b.ask({ cookie })).status).toBe(401);
    // And once it listens again, memory is used again.
    await warm(b, (await makeSession(database.url, userId)).cookie);
  });
});

describe('an operator', () => {
  const operate = (replica: Replica, cookie: string, headers = {}) =>
    replica.ask({ cookie, ...headers }, '/api/operate');

  it('is a user with the role, for an hour after the sign-in; then one who must sign in once more', async () => {
    const olga = await makeUser(database.url, 'Olga', { roles: ['operator'] });
    const { cookie } = await makeSession(database.url, olga);
    expect(await operate(a, cookie)).toMatchObject({ status: 200, body: { by: olga } });
    expect((await a.ask({ cookie })).body).toMatchObject({
      permissions: ['orders:read', 'orders:write', 'orders:erase'],
    });
    await warm(a, cookie);
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + HOUR);
    expect(await operate(a, cookie)).toMatchObject({
      status: 401,
      body: { type: '/problems/reauthenticate' },
    });
    expect((await a.ask({ cookie })).body).toMatchObject({
      permissions: ['orders:read'],
      session: { isOperator: false },
    });
  });

  it('is nobody else, and no page of another site', async () => {
    const ada = await makeSession(database.url, await makeUser(database.url, 'Ada', { roles: ['clerk'] }));
    const olga = await makeSession(
      database.url,
      await makeUser(database.url, 'Olga', { roles: ['operator'] }),
    );
    expect((await operate(a, ada.cookie)).status).toBe(403);
    expect((await operate(a, 'theme=dark')).status).toBe(401);
    expect((await operate(a, olga.cookie, { 'sec-fetch-site': 'cross-site' })).status).toBe(401);
    expect((await operate(a, olga.cookie, { 'sec-fetch-site': 'same-origin' })).status).toBe(200);
    expect(await operate(a, ada.cookie, { 'x-api-key': KEY })).toMatchObject({
      status: 200,
      body: { by: 'a key' },
    });
  });

  it('needs a second factor where that is required', async () => {
    const strict = await start({ operatorsNeedSecondFactor: true });
    const weak = await makeSession(
      database.url,
      await makeUser(database.url, 'Olga', { roles: ['operator'] }),
    );
    const user = { roles: ['operator'], two_factor_enabled: true };
    const strong = await makeSession(database.url, await makeUser(database.url, 'Olga', user));
    expect(await operate(strict, weak.cookie)).toMatchObject({
      status: 403,
      body: { detail: expect.stringMatching(/second factor/) },
    });
    expect((await strict.ask({ cookie: weak.cookie })).status).toBe(200);
    expect((await operate(strict, strong.cookie)).status).toBe(200);
    strict.changes.end();
    await strict.server[Symbol.asyncDispose]();
  });

  it('needs a recent sign-in for what demands it; a key is shown each time', async () => {
    const olga = await makeUser(database.url, 'Olga', { roles: ['operator'] });
    const now = await makeSession(database.url, olga);
    const old = await makeSession(database.url, olga, { authenticated_at: ago(11 * 60_000) });
    expect((await a.ask({ cookie: now.cookie }, '/api/recent')).status).toBe(200);
    expect(await a.ask({ cookie: old.cookie }, '/api/recent')).toMatchObject({
      status: 401,
      body: { type: '/problems/reauthenticate' },
    });
    expect((await a.ask({ 'x-api-key': KEY }, '/api/recent')).status).toBe(200);
  });
});

describe('an operator who acts as a user', () => {
  it('has what the user has, is shown, and reaches no route of credentials', async () => {
    const olga = await makeUser(database.url, 'Olga', { roles: ['operator'] });
    const ada = await makeUser(database.url, 'Ada');
    const { cookie } = await makeSession(database.url, ada, { impersonated_by: olga });
    expect(await a.ask({ cookie })).toMatchObject({
      status: 200,
      body: {
        userId: ada,
        permissions: ['orders:read'],
        session: { impersonatedBy: { id: olga, name: 'Olga' } },
      },
    });
    expect((await a.ask({ cookie }, '/api/credentials')).status).toBe(403);
    expect((await a.ask({ cookie }, '/api/my-name')).status).toBe(200);
    expect((await a.ask({ cookie }, '/api/operate')).status).toBe(403);
  });

  it('is no operator, even where the user has become one', async () => {
    const olga = await makeUser(database.url, 'Olga', { roles: ['operator'] });
    const other = await makeUser(database.url, 'Oscar', { roles: ['operator'] });
    const { cookie } = await makeSession(database.url, other, { impersonated_by: olga });
    expect((await a.ask({ cookie }, '/api/operate')).status).toBe(403);
    expect((await a.ask({ cookie })).body).toMatchObject({ permissions: ['orders:read'] });
  });
});

describe('a program with a key of a user', () => {
  it('has its permissions, and reaches no route of accounts', async () => {
    const keys: Pick<Identity, 'identify'> = {
      async identify({ headers: { authorization } }) {
        if (authorization !== 'Bearer flt_key') return undefined;
        return { userId: 'ada', permissions: new Set(['orders:read']) };
      },
    };
    const replica = await start({ keys });
    const headers = { authorization: 'Bearer flt_key' };
    expect(await replica.ask(headers)).toMatchObject({ status: 200, body: { userId: 'ada' } });
    for (const url of ['/api/credentials', '/api/my-name']) {
      expect(await replica.ask(headers, url)).toMatchObject({ status: 403 });
    }
    expect((await replica.ask(headers, '/api/operate')).status).toBe(401);
    replica.changes.end();
    await replica.server[Symbol.asyncDispose]();
  });
});

describe('roles', () => {
  it('that allow what no part declares, or redefine operators, fail the start', () => {
    expect(() => new Roles({ user: ['notes:raed'] }).declare(new Map())).toThrow(
      /'user' allows 'notes:raed'/,
    );
    expect(() => new Roles({ operator: [] })).toThrow(/built in/);
    expect(new Roles({}).permissionsOf(['constructor', '__proto__']).size).toBe(0);
  });
});

/**
 * Every route × every kind of caller: who is let in. The routes are those of the running application. One that is not listed is
 * tested at the level that it declares; one that lets everybody write has to be listed.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../server/app.ts';
import { keyPrefix } from '../server/features/people/keys.ts';
import { mails } from '../server/features/people/mails.ts';
import { onSignUp } from '../server/features/people/on-sign-up.ts';
import { profile } from '../server/features/people/profile.ts';
import { roles } from '../server/features/people/roles.ts';
import { hashToken } from '../server/modules/accounts/flows/cookies.ts';
import { newKey } from '../server/modules/accounts/keys/format.ts';
import { createAccounts } from '../server/modules/accounts/part.ts';
import { apiKeys, sessions, users } from '../server/modules/accounts/table.ts';
import { isWrite } from '../server/platform/http/access/access.ts';
import type { Part } from '../server/platform/parts.ts';
import { ENCRYPTION_KEY } from './support/accounts.ts';
import { createTestApp, type TestApp } from './support/app.ts';
import { cookieOf, SESSION_SECRET } from './support/people.ts';
import { createDatabase, type TestDatabase } from './support/postgres.ts';
import { until } from './support/until.ts';

/**
 * Who is let in. `user`: users, and an operator who acts as one. `person`: not the latter. `permission`: users who have it, and
 * their programs. `operator in person`: no program.
 */
type Level = 'public' | 'user' | 'person' | 'permission' | 'operator' | 'operator in person';

const ROUTES: Partial<Record<Level, string>> = {
  public: `
    GET / | GET /* | GET /index.html | GET /live | GET /ready | GET /health | GET /startup | GET /alerts | GET /dashboard
    GET /api/monitoring/live | GET /api/monitoring/ready | GET /api/monitoring/health | GET /metrics/stream
    GET /metrics/service/:name | GET /api/status | GET /api/openapi.json | GET /api/events | GET /api/me
    | GET /api/docs
    GET /api/operations/session | POST /api/operations/session | DELETE /api/operations/session
    POST /api/account/sign-up | POST /api/account/sign-in | POST /api/account/sign-in/code | POST /api/account/sign-out
    POST /api/account/sign-in/passkey | POST /api/account/sign-in/passkey/begin | POST /api/account/sign-in/provider
    POST /api/account/verify | POST /api/account/verify/send | POST /api/account/reset | POST /api/account/reset/send
    | POST /api/mail/unsubscribe/:token
    POST /api/account/setup | GET /api/auth/callback/:provider`,
  user: `GET /api/account | DELETE /api/account/impersonation`,
  person: `
    PATCH /api/account | POST /api/account/reauthenticate | POST /api/account/password | POST /api/account/email
    GET /api/account/sessions | DELETE /api/account/sessions | DELETE /api/account/sessions/:id
    POST /api/account/two-factor | POST /api/account/two-factor/confirm | POST /api/account/two-factor/recovery-codes
    DELETE /api/account/two-factor | GET /api/account/passkeys | POST /api/account/passkeys
    POST /api/account/passkeys/begin | DELETE /api/account/passkeys/:id
    GET /api/account/keys | POST /api/account/keys | POST /api/account/keys/:id/rotate | DELETE /api/account/keys/:id
    GET /api/account/export | POST /api/account/erase`,
  operator: `
    GET /metrics | GET /api/monitoring/logs | GET /api/monitoring/log-level | PUT /api/monitoring/log-level
    GET /api/monitoring/history | GET /api/monitoring/dependencies | POST /api/monitoring/dependencies/:name/reset
    POST /api/monitoring/dependencies/:name/isolate | GET /api/monitoring/profile | GET /api/monitoring/production-readiness
    GET /api/monitoring/performance | GET /api/monitoring/metrics | GET /api/monitoring/metrics/prometheus
    GET /api/monitoring/alerts | GET /api/monitoring/silences | POST /api/monitoring/silences
    DELETE /api/monitoring/silences/:id | GET /api/monitoring/stream | GET /api/monitoring/errors | GET /api/monitoring/config
    GET /api/monitoring/jobs | GET /api/monitoring/jobs/list | POST /api/monitoring/jobs/:name/pause
    POST /api/monitoring/jobs/:name/resume | GET /api/monitoring/jobs/:name/:id | DELETE /api/monitoring/jobs/:name/:id
    POST /api/monitoring/jobs/:name/:id/cancel | POST /api/monitoring/jobs/:name/:id/retry
    GET /api/monitoring/* | POST /api/monitoring/* | PUT /api/monitoring/* | PATCH /api/monitoring/* | DELETE /api/monitoring/*
    GET /api/admin/users | GET /api/admin/users/:id | GET /api/admin/roles | PUT /api/admin/users/:id/roles
    POST /api/admin/users/:id/ban | DELETE /api/admin/users/:id/ban | DELETE /api/admin/users/:id/sessions
    GET /api/admin/invitations | POST /api/admin/invitations
    DELETE /api/admin/invitations/:id | POST /api/jobs/tick | GET /api/sync/health`,
  'operator in person': `POST /api/admin/users/:id/impersonation`,
};

const LISTED: ReadonlyMap<string, Level> = new Map(
  Object.entries(ROUTES).flatMap(([level, text]) => listed(text).map((route) => [route, level as Level])),
);

/** What a route is sent, so that nothing but its access and a recent sign-in stands in the way. */
const BODIES: Record<string, object> = {
  'PATCH /api/account': { name: 'Ada' },
  'POST /api/account/reauthenticate': { password: 'wrong' },
  'POST /api/account/password': { password: 'three wise words here' },
  'POST /api/account/email': { email: 'other@example.com' },
  'POST /api/account/keys': { name: 'CI', permissions: [] },
  'POST /api/account/keys/:id/rotate': { overlapHours: 1 },
  'POST /api/account/erase': { email: 'not-mine@example.com' },
  'PUT /api/admin/users/:id/roles': { roles: [] },
  'POST /api/admin/users/:id/ban': { reason: 'sends spam' },
  'POST /api/admin/users/:id/impersonation': { reason: 'a ticket' },
  'POST /api/admin/invitations': { email: 'ada@example.com', roles: ['operator'] },
};
/** Those that need a sign-in of the last ten minutes. */
const RECENT = new Set(
  listed(`
  POST /api/account/password | POST /api/account/email | POST /api/account/keys | POST /api/account/keys/:id/rotate
  GET /api/account/export | POST /api/account/erase | POST /api/account/two-factor | DELETE /api/account/two-factor
  POST /api/account/two-factor/recovery-codes | PUT /api/admin/users/:id/roles | POST /api/admin/users/:id/ban
  POST /api/admin/users/:id/impersonation | POST /api/admin/invitations | POST /api/account/passkeys/begin | DELETE /api/account/passkeys/:id`),
);
/** What `:id` is, where it belongs to a user: a stranger is told that there is nothing. */
const OWNED = { keys: 'key', sessions: 'session' } as const;

/** What a route answers by itself to those whom it lets in: there is no password, and no documentation in a test. */
const OWN_ANSWERS: Record<string, number> = {
  'POST /api/account/reauthenticate': 401,
  'GET /api/docs': 500,
};

type Headers = Record<string, string>;
type Outcome = 'in' | 401 | 403;
/** A user with a session and a key, made for each cell: what one request changes, the next does not meet. */
interface Owner {
  readonly id: string;
  readonly session: { id: string; cookie: string };
  readonly key: string;
  readonly ids: Record<(typeof OWNED)[keyof typeof OWNED], string>;
}
interface Caller {
  of(owner: Owner): Headers | Promise<Headers>;
  /** Where a level is not named: refused with 401. */
  readonly outcomes: Partial<Record<Level, Outcome>>;
  /** Not the owner: what belongs to the owner is not there. */
  readonly stranger?: true;
  /** Must sign in once more where that has to be recent. */
  readonly old?: true;
}

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
type Outcomes = Caller['outcomes'];
const PERMITTED: Outcomes = { permission: 'in' };
const NOT_PERMITTED: Outcomes = { permission: 403 };
const PROGRAM: Outcomes = { person: 403, user: 403 };
const FORBIDDEN: Outcomes = { ...NOT_PERMITTED, ...PROGRAM, operator: 403 };
const USER: Outcomes = { ...PERMITTED, person: 'in', user: 'in', operator: 403 };
const byKey = (key: string): Headers => ({ authorization: `Bearer ${key}` });
const banned = () => ({ bannedAt: minutesAgo(9) });
const operator = { roles: ['operator'] };

const CALLERS: Record<string, Caller> = {
  anonymous: { of: () => ({}), outcomes: {} },
  'the owner': { of: ({ session }) => ({ cookie: session.cookie }), outcomes: USER },
  'another user': { of: () => signedIn(), outcomes: USER, stranger: true },
  'a banned user': { of: () => signedIn(banned()), outcomes: FORBIDDEN },
  'a user whose ban has ended': {
    stranger: true,
    of: () => signedIn({ ...banned(), bannedUntil: minutesAgo(1) }),
    outcomes: USER,
  },
  'an unverified user': { of: () => signedIn({ emailVerified: false }), outcomes: FORBIDDEN },
  'a user who signed in eleven minutes ago': {
    stranger: true,
    of: () => signedIn({}, { authenticatedAt: minutesAgo(11) }),
    outcomes: USER,
    old: true,
  },
  'an expired session': { of: () => signedIn({}, { expiresAt: minutesAgo(1) }), outcomes: {} },
  'a session that was idle too long': {
    of: () => signedIn({}, { updatedAt: minutesAgo(3 * 24 * 60 + 1) }),
    outcomes: {},
  },
  'a session with a foreign signature': {
    of: async ({ session }) => ({ cookie: session.cookie.replace(/%3D$|.$/, 'A%3D') }),
    outcomes: {},
  },
  'a session that the other replica has ended': {
    async of({ session: { cookie } }) {
      const look = async () => (await send(address, 'GET /api/account', { cookie })).status;
      expect(await look()).toBe(200);
      expect((await send(otherAddress, 'POST /api/account/sign-out', { cookie })).status).toBe(204);
      await until('the session to end here as well', async () => (await look()) === 401);
      return { cookie };
    },
    outcomes: {},
  },
  'a key with the permissions': { of: ({ key }) => byKey(key), outcomes: { ...PERMITTED, ...PROGRAM } },
  'a key without': {
    of: async ({ id }) => byKey((await makeKey(id, [])).key),
    outcomes: { ...NOT_PERMITTED, ...PROGRAM },
  },
  'an expired key': {
    of: async ({ id }) => byKey((await makeKey(id, PERMISSIONS, minutesAgo(1))).key),
    outcomes: PROGRAM,
  },
  'an invented key': { of: () => byKey(newKey().key), outcomes: PROGRAM },
  'a key of a banned user': {
    of: async () => byKey((await makeKey(await makeUser(banned()))).key),
    outcomes: { ...NOT_PERMITTED, ...PROGRAM },
  },
  'a key of an operator': {
    stranger: true,
    of: async () => byKey((await makeKey(await makeUser(operator))).key),
    outcomes: { ...PERMITTED, ...PROGRAM },
  },
  'an operator': { of: () => signedIn(operator), outcomes: { ...USER, operator: 'in' }, stranger: true },
  'an operator who signed in half an hour ago': {
    stranger: true,
    of: () => signedIn(operator, { authenticatedAt: minutesAgo(30) }),
    outcomes: { ...USER, operator: 'in' },
    old: true,
  },
  'an operator who signed in more than an hour ago': {
    stranger: true,
    of: () => signedIn(operator, { authenticatedAt: minutesAgo(61) }),
    outcomes: { ...USER, operator: 401 },
    old: true,
  },
  'a program with a key of INTERNAL_API_KEY': {
    of: () => byKey(OPERATORS_KEY),
    outcomes: { operator: 'in', 'operator in person': 403 },
  },
  'an operator who acts as the owner': {
    async of({ id }) {
      const impersonatedBy = await makeUser(operator);
      return { cookie: (await makeSession(id, { impersonatedBy, impersonationReason: 'a ticket' })).cookie };
    },
    outcomes: { ...USER, person: 403 },
  },
};

const OPERATORS_KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';

let database: TestDatabase;
let server: TestApp;
let other: TestApp;
let address: string;
let otherAddress: string;
let clients = 0;

beforeAll(async () => {
  database = await createDatabase();
  const start = () =>
    createTestApp(
      database.url,
      {
        SESSION_SECRET,
        ENCRYPTION_KEY,
        INTERNAL_API_KEY: OPERATORS_KEY,
        PUBLIC_URL: 'http://app.test',
        TRUST_PROXY: '127.0.0.1',
      },
      {
        compose(platform) {
          const own = createApp(platform);
          // With a mailer, so that addresses have to be verified.
          const mail = { delivers: true, send: async () => true };
          const people = { keyPrefix, mails, onSignUp, profile, roles: { user: PERMISSIONS } };
          const accounts = createAccounts({ ...platform, mail, people });
          const modules = own.modules.map((part) => (part.name === 'accounts' ? accounts : part));
          return { ...own, modules, features: [...own.features, things], identity: accounts.identity };
        },
      },
    );
  [server, other] = await Promise.all([start(), start()]);
  [address, otherAddress] = await Promise.all([server.listen(), other.listen()]);
});
afterAll(async () => {
  await Promise.all([server, other].map((one) => one[Symbol.asyncDispose]()));
  await database.drop();
});

/** From an address of its own, which limits count. @param route As `GET /api/notes`. */
async function send(
  to: string,
  route: string,
  headers: Headers,
  body?: object,
  tries = 5,
): Promise<{ status: number; problem: { type: string; detail?: string } | undefined }> {
  const [method = '', path = ''] = route.split(' ');
  const from = `10.${(++clients >> 16) & 255}.${(clients >> 8) & 255}.${clients & 255}`;
  const gone = new AbortController();
  const answer = await fetch(to + path, {
    method,
    redirect: 'manual',
    signal: gone.signal,
    headers: { ...headers, 'x-forwarded-for': from, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const isProblem = String(answer.headers.get('content-type')).startsWith('application/problem');
  const problem = isProblem ? ((await answer.json()) as { type: string; detail?: string }) : undefined;
  // A stream does not end by itself.
  gone.abort();
  // The machine may have other work, and the server say so.
  if (answer.status === 503 && tries > 0) {
    await sleep(Number(answer.headers.get('retry-after')) * 1_000);
    return send(to, route, headers, body, tries - 1);
  }
  return { status: answer.status, problem };
}

/** Users have all that there are, and one that no role gives is for a key that lacks those of a route. */
const PERMISSIONS = [...new Set(Object.values(roles).flat()), 'things:write'];
/** So that there is a route with a permission, whatever features there are. */
const things: Part = {
  name: 'things',
  permissions: { 'things:write': 'Change things.' },
  async routes(app) {
    app.post('/api/things', { config: { access: { permission: 'things:write' } } }, () => 'changed');
  },
};

async function makeUser(columns: Partial<typeof users.$inferInsert> = {}): Promise<string> {
  const id = randomUUID();
  const email = `${id}@example.com`;
  await server.database.db.insert(users).values({ id, name: 'Ada', email, emailVerified: true, ...columns });
  return id;
}

async function makeSession(userId: string, columns: Partial<typeof sessions.$inferInsert> = {}) {
  const [id, token] = [randomUUID(), randomUUID()];
  const row = { id, userId, token: hashToken(token), expiresAt: minutesAgo(-60), ...columns };
  await server.database.db.insert(sessions).values(row);
  return { id, cookie: cookieOf(token) };
}

async function makeKey(userId: string, permissions = PERMISSIONS, expiresAt: Date | null = null) {
  const { id, key } = newKey();
  const row = { id, userId, name: 'CI', hash: hashToken(key), permissions, expiresAt };
  await server.database.db.insert(apiKeys).values(row);
  return { id, key };
}

async function signedIn(
  user: Partial<typeof users.$inferInsert> = {},
  session: Partial<typeof sessions.$inferInsert> = {},
): Promise<Headers> {
  const { cookie } = await makeSession(await makeUser(user), session);
  return { cookie };
}

async function makeOwner(): Promise<Owner> {
  const id = await makeUser();
  const [session, key] = await Promise.all([makeSession(id), makeKey(id)]);
  return { id, session, key: key.key, ids: { session: session.id, key: key.id } };
}

/** @param owner Whose things the path names. */
function pathOf(route: string, owner: Owner): string {
  const kind = Object.entries(OWNED).find(([name]) => route.includes(`/${name}/:id`))?.[1];
  return route
    .replace(':id', kind ? owner.ids[kind] : randomUUID())
    .replace(/:\w+/g, 'nothing')
    .replace('*', 'nothing')
    .replace('monitoring/profile', 'monitoring/profile?seconds=0');
}

/** Every route of the application, and its level: as it is listed, or else as it declares. */
function levelsOf({ declaredAccess }: TestApp['app']): [route: string, level: Level][] {
  const routes = [...declaredAccess.levels].filter(([route]) => !/^(HEAD|OPTIONS) /.test(route));
  return routes.map(([route, level]) => [
    route,
    LISTED.get(route) ?? (typeof level === 'object' ? 'permission' : level),
  ]);
}

it('every route that lets everybody write is listed, and each declares what is listed', () => {
  const declared = [...server.app.declaredAccess.levels];
  const unlisted = declared.filter(
    ([route, level]) => level === 'public' && isWrite(route) && !LISTED.has(route),
  );
  expect(unlisted.map(([route]) => `add ${route} to ROUTES: everybody may call it`)).toEqual([]);
  const expected: Record<Level, string> = {
    public: 'public',
    user: 'user',
    person: 'user',
    permission: 'permission',
    operator: 'operator',
    'operator in person': 'operator',
  };
  for (const [route, level] of declared) {
    const listed = LISTED.get(route.replace(/^HEAD /, 'GET '));
    if (listed !== undefined) expect([route, level]).toEqual([route, expected[listed]]);
  }
});

/** @returns What is wrong with the answer of one cell; undefined where it is as declared. */
async function judge({ of, outcomes, stranger, old }: Caller, route: string, level: Level) {
  const owner = await makeOwner();
  const headers = { ...(await of(owner)), 'if-match': '*' };
  const path = pathOf(route, owner);
  const { status, problem } = await send(address, path, headers, BODIES[route]);
  const declared = outcomes[level] ?? (level === 'operator in person' ? outcomes.operator : undefined);
  let outcome = level === 'public' ? 'in' : (declared ?? 401);
  if (old && outcome === 'in' && RECENT.has(route)) outcome = 401;
  const isOwned = Object.values(owner.ids).some((id) => path.includes(id));
  const refusals = [401, 403, 500, ...(isOwned && !stranger ? [404] : [])];
  const isRight =
    outcome !== 'in'
      ? status === outcome
      : isOwned && stranger
        ? status === 404
        : status === OWN_ANSWERS[route] || !refusals.includes(status);
  if (isRight) return undefined;
  return `${route} (${level}): ${status} ${problem?.detail ?? ''}, and not ${outcome}`;
}

describe('who is let in', () => {
  it.each(Object.entries(CALLERS))('%s', async (_name, caller) => {
    const cells = levelsOf(server.app);
    expect(cells.length).toBeGreaterThan(40);
    const wrong: string[] = [];
    const work = async () => {
      for (let cell = cells.shift(); cell !== undefined; cell = cells.shift()) {
        const fault = await judge(caller, ...cell);
        if (fault !== undefined) wrong.push(fault);
      }
    };
    await Promise.all(Array.from({ length: 4 }, work));
    expect(wrong).toEqual([]);
  });
});

function listed(text: string): string[] {
  return text.split(/[|\n]/).flatMap((route) => route.trim() || []);
}

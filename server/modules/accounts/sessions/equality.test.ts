import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../../../../tests/support/app.ts';
import { makeSession, makeUser } from '../../../../tests/support/people.ts';
import { createDatabase, query, type TestDatabase } from '../../../../tests/support/postgres.ts';
import { type Auth, createAuth } from '../auth.ts';
import { hashToken, resigned, sessionCookie, signed } from '../flows/cookies.ts';
import { UserChanges } from './changes.ts';
import { SessionCheck } from './session-check.ts';

const NEW = 'q7Jm2Xc9VtR4wL6zB1nPhD8sKfGyAe3uT5oCi0WxNvE';
const OLD = 'Y4kT8mZq1Wc6RvN3xL9bPdJ2sHfGyUe7aQ5oCi0EwVt';
const FOREIGN = 'A9kT8mZq1Wc6RvN3xL9bPdJ2sHfGyUe7aQ5oCi0EwV1';
const NAME = sessionCookie(false);
const HOUR = 3_600_000;

let database: TestDatabase;
let server: TestApp;
let auth: Auth;
let check: SessionCheck;
let changes: UserChanges;
beforeAll(async () => {
  database = await createDatabase();
  server = await createTestApp(
    database.url,
    { SESSION_SECRET: `${NEW},${OLD}` },
    {
      compose(platform) {
        const { config, db, log } = platform;
        const anything = async () => {};
        const options = { config, db, log, appName: 'test', origin: 'http://localhost', verifies: false };
        auth = createAuth({ ...options, mayBegin: anything, maySignUp: anything, signedUp: anything }, []);
        changes = new UserChanges(platform);
        const { sessionIdleSeconds: idleSeconds } = config.accounts;
        check = new SessionCheck({
          db,
          log,
          changes,
          cookieName: NAME,
          secrets: config.sessionSecrets,
          idleSeconds,
        });
        return { modules: [], features: [] };
      },
    },
  );
});
afterAll(async () => {
  changes.end();
  await server[Symbol.asyncDispose]();
  await database.drop();
});

const person = () => makeUser(database.url, 'Ada');
const session = async (columns: object = {}) => makeSession(database.url, await person(), { ...columns });
const cookieOf = (token: string, secret = NEW) => `${NAME}=${signed(token, secret)}`;
const ago = (ms: number) => new Date(Date.now() - ms);

/** A cookie of each kind, and whether it is a session. */
const KINDS: [string, boolean, () => Promise<string>][] = [
  ['a session', true, async () => cookieOf((await session()).token)],
  ['one signed with the secret of before', true, async () => cookieOf((await session()).token, OLD)],
  ['one that has expired', false, async () => cookieOf((await session({ expires_at: ago(1_000) })).token)],
  [
    'one that was revoked',
    false,
    async () => {
      const { id, token } = await session();
      await query(database.url, 'delete from sessions where id = $1', [id]);
      return cookieOf(token);
    },
  ],
  ['a foreign signature', false, async () => cookieOf((await session()).token, FOREIGN)],
  [
    'a signature of another token',
    false,
    async () => {
      const [one, other] = [await session(), await session()];
      return `${NAME}=${encodeURIComponent(`${one.token}.${decodeURIComponent(signed(other.token, NEW)).split('.').pop()}`)}`;
    },
  ],
  [
    'a changed token',
    false,
    async () => cookieOf((await session()).token).replace(/=(.)/, (_, c) => (c === 'a' ? '=b' : '=a')),
  ],
  ['no signature', false, async () => `${NAME}=${(await session()).token}`],
  ['nothing', false, async () => 'theme=dark'],
  [
    'a hash of a token, as a stolen table has it',
    false,
    async () => cookieOf(hashToken((await session()).token)),
  ],
  [
    'the cookie of a second factor that is still to come',
    false,
    async () => {
      await query(
        database.url,
        "insert into verifications (id, identifier, value, expires_at) values ($1, '2fa-pending', 'ada', now() + interval '5 minutes')",
        ['pending'],
      );
      return cookieOf('2fa-pending');
    },
  ],
  [
    'an operator who acts as a user',
    true,
    async () => cookieOf((await session({ impersonated_by: await person(), expires_at: ago(-HOUR) })).token),
  ],
];

it.each(KINDS)('%s is a session, for us as for better-auth: %s', async (_, isOne, make) => {
  const cookie = await make();
  const ours = await check.find(cookie);
  // As the flows call it: cookies of an older secret are signed anew.
  const headers = new Headers({ cookie: resigned(cookie, [NEW, OLD], (name) => name === NAME) });
  const theirs = await auth.api.getSession({ headers });
  expect([ours !== undefined, theirs !== null]).toEqual([isOne, isOne]);
  expect([ours?.id, ours?.userId]).toEqual([theirs?.session.id, theirs?.user.id]);
  expect(ours?.expiresAt).toEqual(theirs?.session.expiresAt);
});

it('is stricter than better-auth where a session was not used for long', async () => {
  const { token } = await session({ updated_at: ago(4 * 24 * HOUR) });
  expect(await check.find(cookieOf(token))).toBeUndefined();
  expect(await auth.api.getSession({ headers: new Headers({ cookie: cookieOf(token) }) })).not.toBeNull();
});

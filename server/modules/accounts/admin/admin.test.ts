import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  accountScene,
  type Browser,
  PASSWORD,
  type Scene,
  SECRET,
  signedIn,
} from '../../../../tests/support/accounts.ts';
import { makeSession, makeUser } from '../../../../tests/support/people.ts';
import { query } from '../../../../tests/support/postgres.ts';
import { sessionCookie, signed } from '../flows/cookies.ts';

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';

let scene: Scene;
beforeAll(async () => {
  scene = await accountScene(
    { INTERNAL_API_KEY: KEY },
    { people: { roles: { user: [], clerk: [], editor: [] } } },
  );
});
afterAll(() => scene[Symbol.asyncDispose]());

const sql = async (text: string, values: unknown[] = []) =>
  (await query(scene.database.url, text, values)).rows;
/** @returns A user who is signed in. Rows, because signing up takes its time. */
async function person(roles: string[] = []) {
  const id = await makeUser(scene.database.url, 'Person', { roles });
  const [{ email }] = await sql('select email from users where id = $1', [id]);
  const browser = scene.browser();
  await signInAs(browser, id);
  return { browser, email: email as string, id };
}

async function signInAs(browser: Browser, id: string): Promise<void> {
  const { token } = await makeSession(scene.database.url, id);
  browser.cookies.set(sessionCookie(true), signed(token, SECRET));
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
const admin = (browser: Browser, method: Method, path: string, payload?: object) =>
  browser.send(method, `/api/admin${path}`, payload);
const withKey = () => scene.browser({ headers: { 'x-api-key': KEY } });
const isSignedIn = async (browser: Browser) => (await browser.me()).user !== null;
const notRecently = (id: string) =>
  sql("update sessions set authenticated_at = now() - interval '11 minutes' where user_id = $1", [id]);

const ROUTES: [Method, string, object?][] = [
  ['GET', '/users'],
  ['GET', '/users/ID'],
  ['GET', '/roles'],
  ['PUT', '/users/ID/roles', { roles: ['operator'] }],
  ['POST', '/users/ID/ban', { reason: 'Spam' }],
  ['DELETE', '/users/ID/ban'],
  ['DELETE', '/users/ID/sessions'],
  ['POST', '/users/ID/impersonation', { reason: 'Support' }],
  ['GET', '/invitations'],
  ['POST', '/invitations', { email: 'new@example.com', roles: ['operator'] }],
  ['DELETE', '/invitations/ID'],
];

describe('each route', () => {
  it('is closed to visitors, to users, and to operators who act as one', async () => {
    const { browser, id } = await person(['clerk']);
    const operator = await person(['operator']);
    expect(
      (await admin(operator.browser, 'POST', `/users/${id}/impersonation`, { reason: 'Support' })).status,
    ).toBe(204);
    for (const [method, path, payload] of ROUTES) {
      const url = path.replace('ID', id);
      const statuses = [];
      for (const one of [scene.browser(), browser, operator.browser]) {
        statuses.push((await admin(one, method, url, payload)).status);
      }
      expect([method, path, ...statuses]).toEqual([method, path, 401, 403, 403]);
    }
  });
});

describe('the list', () => {
  it('finds users by the beginning of a name or address, by role and by state, page by page', async () => {
    const browser = withKey();
    const names = ['Zoe One', 'zoe two', 'Zo%e', 'Azoe'];
    for (const [n, name] of names.entries()) {
      await sql(
        `insert into users (id, name, email, email_verified, roles, banned_at, created_at) values ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 microsecond')`,
        [
          `list-${n}`,
          name,
          `${n}.list@example.net`,
          n !== 1,
          n === 0 ? ['editor'] : [],
          n === 3 ? new Date() : null,
          n,
        ],
      );
    }
    const found = async (search: string) => {
      const { status, body } = await admin(browser, 'GET', `/users?${search}`);
      expect(status).toBe(200);
      return (body as never as { items: { name: string }[] }).items.map(({ name }) => name);
    };
    expect(await found('search=ZOE')).toEqual(['zoe two', 'Zoe One']);
    expect(await found('search=zo%25')).toEqual(['Zo%e']);
    expect(await found('search=3.LIST@')).toEqual(['Azoe']);
    expect(await found('role=editor')).toEqual(['Zoe One']);
    expect(await found('state=banned')).toEqual(['Azoe']);
    expect(await found('state=unverified')).toEqual(['zoe two']);
    expect(await found('state=active&search=azoe')).toEqual([]);
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await admin(browser, 'GET', `/users?limit=3${cursor && `&cursor=${cursor}`}`);
      const page = body as never as { items: { id: string }[]; nextCursor: string | null };
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    const all = await sql('select id from users order by created_at desc, id desc');
    expect(seen).toEqual(all.map(({ id }) => id));
    expect((await admin(browser, 'GET', '/users?cursor=x')).status).toBe(400);
    expect((await admin(browser, 'GET', '/users/nobody')).status).toBe(404);
  });

  it('is read by index', async () => {
    const { rows } = await query(
      scene.database.url,
      `set enable_seqscan = off; explain select * from users where email like 'ada%' or lower(name) like 'ada%'`,
    ).then((results) => (results as never as { rows: object[] }[])[1] as { rows: object[] });
    expect(JSON.stringify(rows)).toMatch(/users_email_beginning.*users_name_beginning/);
  });
});

describe('roles', () => {
  it('are set by operators who have signed in lately, and told to the user at once', async () => {
    const operator = await person(['operator']);
    const { browser, id } = await person();
    const url = `/users/${id}/roles`;
    expect((await admin(operator.browser, 'PUT', url, { roles: ['nobody'] })).status).toBe(400);
    const { status, body } = await admin(operator.browser, 'PUT', url, { roles: ['clerk', 'user'] });
    expect([status, body]).toEqual([200, expect.objectContaining({ id, roles: ['clerk'], sessions: 1 })]);
    expect(await isSignedIn(browser)).toBe(true);
    await notRecently(operator.id);
    await operator.browser.send('GET', '/api/me');
    await admin(withKey(), 'PUT', `/users/${operator.id}/roles`, { roles: ['operator'] });
    expect(await admin(operator.browser, 'PUT', url, { roles: [] })).toMatchObject({
      status: 401,
      body: { type: '/problems/reauthenticate' },
    });
  });

  it('end all sessions where a user becomes, or ceases to be, an operator', async () => {
    const { browser, id } = await person();
    await person(['operator']);
    expect((await admin(withKey(), 'PUT', `/users/${id}/roles`, { roles: ['operator'] })).status).toBe(200);
    expect(await isSignedIn(browser)).toBe(false);
    await signInAs(browser, id);
    expect((await admin(browser, 'GET', '/users')).status).toBe(200);
    expect((await admin(withKey(), 'PUT', `/users/${id}/roles`, { roles: [] })).status).toBe(200);
    expect((await admin(browser, 'GET', '/users')).status).toBe(401);
  });

  it('keep the last operator, even where two dismiss each other', async () => {
    await sql("update users set roles = '{}' where roles @> '{operator}'");
    const [one, other] = [await person(['operator']), await person(['operator'])];
    const answers = await Promise.all([
      admin(one.browser, 'PUT', `/users/${other.id}/roles`, { roles: [] }),
      admin(other.browser, 'PUT', `/users/${one.id}/roles`, { roles: [] }),
    ]);
    expect(answers.map(({ status }) => status).sort()).not.toEqual([200, 200]);
    const left = await sql("select id from users where roles @> '{operator}'");
    expect(left).toHaveLength(1);
    expect((await admin(withKey(), 'PUT', `/users/${left[0].id}/roles`, { roles: [] })).status).toBe(409);
  });
});

describe('a ban', () => {
  it('ends sessions and refuses new ones, until it is lifted or over', async () => {
    const email = 'ban@example.com';
    const browser = await signedIn(scene, email);
    const [{ id }] = await sql('select id from users where email = $1', [email]);
    const operator = await person(['operator']);
    const ban = (payload: object) => admin(operator.browser, 'POST', `/users/${id}/ban`, payload);
    const signIn = async () => (await browser.post('/sign-in', { email, password: PASSWORD })).status;
    expect((await ban({ reason: 'Spam', until: new Date(Date.now() - 1_000).toISOString() })).status).toBe(
      400,
    );
    expect(await ban({ reason: 'Spam' })).toMatchObject({
      status: 200,
      body: { ban: { reason: 'Spam', until: null } },
    });
    expect(await isSignedIn(browser)).toBe(false);
    expect(await signIn()).toBe(403);
    expect((await admin(operator.browser, 'DELETE', `/users/${id}/ban`)).status).toBe(200);
    expect(await signIn()).toBe(200);
    await ban({ reason: 'Spam', until: new Date(Date.now() + 60_000).toISOString() });
    expect(await isSignedIn(browser)).toBe(false);
    await sql("update users set banned_until = now() - interval '1 second' where id = $1", [id]);
    expect(await signIn()).toBe(200);
    expect(
      (await admin(operator.browser, 'POST', `/users/${operator.id}/ban`, { reason: 'Oops' })).status,
    ).toBe(409);
  });
});

it('sessions of a user end at once', async () => {
  const { browser, id } = await person();
  expect((await admin(withKey(), 'DELETE', `/users/${id}/sessions`)).status).toBe(204);
  expect(await isSignedIn(browser)).toBe(false);
});

describe('an operator who acts as a user', () => {
  const begin = (browser: Browser, id: string) =>
    admin(browser, 'POST', `/users/${id}/impersonation`, { reason: 'Support case 7' });

  it('is the user, visibly and for an hour, and is back as before', async () => {
    const operator = await person(['operator']);
    const { id, email, browser: own } = await person();
    expect((await admin(operator.browser, 'POST', `/users/${id}/impersonation`, {})).status).toBe(400);
    expect((await begin(operator.browser, id)).status).toBe(204);
    const me = (await operator.browser.send('GET', '/api/me')).body as never as Record<string, never>;
    expect(me).toMatchObject({
      user: { id, email },
      isOperator: false,
      recentUntil: null,
      impersonation: { by: 'Person' },
    });
    const until = new Date((me.impersonation as unknown as { until: string }).until).getTime();
    expect(Math.abs(until - Date.now() - 3_600_000)).toBeLessThan(30_000);
    const { items } = (await own.send('GET', '/api/account/sessions')).body as never as { items: object[] };
    expect(items).toContainEqual(expect.objectContaining({ impersonatedBy: operator.id }));
    expect((await operator.browser.send('DELETE', '/api/account/impersonation')).status).toBe(204);
    expect(await operator.browser.me()).toMatchObject({ user: { id: operator.id }, isOperator: true });
    expect((await operator.browser.send('DELETE', '/api/account/impersonation')).status).toBe(409);
    expect(
      await sql('select 1 from sessions where impersonated_by is not null and user_id = $1', [id]),
    ).toEqual([]);
  });

  it('reaches none of what only the user may do', async () => {
    const operator = await person(['operator']);
    const { id } = await person();
    await begin(operator.browser, id);
    const { app } = scene.server;
    const tried: string[] = [];
    for (const route of app.declaredAccess.userRoutes) {
      const [method, url = ''] = route.split(' ') as [Method, string];
      const isWayBack = route === 'DELETE /api/account/impersonation';
      if (!url.startsWith('/api/account') || isWayBack) continue;
      const { status } = await operator.browser.send(method, url.replace(':id', 'some'), {});
      if (status !== 403) tried.push(`${route} ${status}`);
    }
    // All that is open, besides the way back, is to look.
    expect(tried).toEqual(['GET /api/account 200']);
    expect((await operator.browser.send('GET', '/api/me')).body).toMatchObject({ user: { id } });
  });

  it('is never one of the operators, nor a program, nor one who signed in long ago', async () => {
    const operator = await person(['operator']);
    const other = await person(['operator']);
    const { id } = await person();
    expect((await begin(operator.browser, other.id)).status).toBe(403);
    expect((await begin(operator.browser, 'nobody')).status).toBe(404);
    expect((await begin(withKey(), id)).status).toBe(403);
    await notRecently(operator.id);
    await admin(withKey(), 'DELETE', `/users/${operator.id}/ban`);
    expect((await begin(operator.browser, id)).body.type).toBe('/problems/reauthenticate');
  });

  it('is cut short with the operator, and is nobody where the own session has ended', async () => {
    const operator = await person(['operator']);
    const { id } = await person();
    await begin(operator.browser, id);
    await admin(withKey(), 'POST', `/users/${operator.id}/ban`, { reason: 'Left' });
    expect(await isSignedIn(operator.browser)).toBe(false);

    const second = await person(['operator']);
    await begin(second.browser, id);
    await sql('delete from sessions where user_id = $1', [second.id]);
    expect((await second.browser.send('DELETE', '/api/account/impersonation')).status).toBe(204);
    expect(await isSignedIn(second.browser)).toBe(false);
  });
});

describe('an invitation', () => {
  it('is mailed, lets the address sign up with its roles once, and can be taken back', async () => {
    const operator = await person(['operator']);
    const invite = (payload: object) => admin(operator.browser, 'POST', '/invitations', payload);
    expect((await invite({ email: operator.email })).status).toBe(409);
    expect((await invite({ email: 'g@example.com', roles: ['king'] })).status).toBe(400);
    const { status, body } = await invite({ email: 'Grace@Example.com', roles: ['clerk'] });
    expect([status, body]).toMatchObject([
      200,
      { link: null, invitation: { email: 'grace@example.com', roles: ['clerk'] } },
    ]);
    const invitation = scene.tokenFor('grace@example.com');
    const grace = scene.browser();
    const form = { name: 'Grace', email: 'grace@example.com', password: PASSWORD, invitation };
    expect((await grace.post('/sign-up', form)).status).toBe(200);
    expect((await grace.post('/sign-in', { email: form.email, password: PASSWORD })).status).toBe(200);
    expect((await sql('select roles from users where email = $1', [form.email]))[0].roles).toEqual(['clerk']);
    expect((await scene.browser().post('/sign-up', { ...form, email: 'other@example.com' })).status).toBe(
      400,
    );

    await invite({ email: 'late@example.com' });
    const open = (await admin(operator.browser, 'GET', '/invitations')).body as never as {
      items: { id: string; email: string }[];
    };
    expect(open.items.map(({ email }) => email)).toEqual(['late@example.com']);
    const path = `/invitations/${open.items[0]?.id}`;
    expect((await admin(operator.browser, 'DELETE', path)).status).toBe(204);
    expect((await admin(operator.browser, 'DELETE', path)).status).toBe(404);
    expect(
      (
        await scene.browser().post('/sign-up', {
          ...form,
          email: 'late@example.com',
          invitation: scene.tokenFor('late@example.com'),
        })
      ).status,
    ).toBe(400);
  });
});

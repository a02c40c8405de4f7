import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountScene, PASSWORD, type Scene, signedIn } from '../../../../tests/support/accounts.ts';
import { query } from '../../../../tests/support/postgres.ts';
import { hashToken } from './cookies.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await accountScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const sql = async (text: string, values?: unknown[]) => (await query(scene.database.url, text, values)).rows;
const form = (email: string, more = {}) => ({ name: 'Ada', email, password: PASSWORD, ...more });

it('answers the same for a known address, whose owner is told by mail', async () => {
  const email = 'known@example.com';
  await signedIn(scene, email);
  const [known, unknown] = [
    await scene.browser().post('/sign-up', form(email, { password: 'another one of four' })),
    await scene.browser().post('/sign-up', form('unknown@example.com')),
  ];
  expect(known).toEqual(unknown);
  expect(known).toMatchObject({ status: 200, body: { next: 'verify' }, cookies: [] });
  expect(scene.mailbox.findLast(({ to }) => to === email)).toMatchObject({ template: 'account-exists' });
  // Nothing of the account has changed.
  expect((await scene.browser().post('/sign-in', { email, password: PASSWORD })).body.next).toBe('done');
});

it('makes one account of parallel sign-ups with one address', async () => {
  const email = 'parallel@example.com';
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => scene.browser().post('/sign-up', form(email))),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
  expect(await sql('select count(*)::int from users where email = $1', [email])).toEqual([{ count: 1 }]);
  expect(
    await sql('select count(*)::int from credentials join users on users.id = user_id where email = $1', [
      email,
    ]),
    // Who opens the mail sets the password.
  ).toEqual([{ count: 0 }]);
});

it('lets who opens the mail set the password, where several signed up with an address', async () => {
  const email = 'first@example.com';
  for (const password of ['the thief was first', PASSWORD, 'the thief was last'])
    await scene.browser().post('/sign-up', form(email, { password }));
  const early = scene.mailbox.find(({ to }) => to === email)?.text.match(/#token=([\w-]+)/)?.[1];
  expect((await scene.browser().post('/verify', { token: early })).status).toBe(400);
  const password = 'four words of the owner';
  expect((await scene.browser().post('/reset', { token: scene.tokenFor(email), password })).status).toBe(204);
  for (const other of ['the thief was first', PASSWORD, 'the thief was last'])
    expect((await scene.browser().post('/sign-in', { email, password: other })).status).toBe(401);
  expect((await scene.browser().post('/sign-in', { email, password })).body.next).toBe('done');
});

it('sends no advertisement to the address of another person', async () => {
  const email = 'spammed@example.com';
  await scene.browser().post('/sign-up', form(email, { name: 'Win at https://evil.example' }));
  expect(scene.mailbox.findLast(({ to }) => to === email)?.text).toMatch(/^Hello there,/);
  expect(scene.mailbox.findLast(({ to }) => to === email)?.text).not.toContain('evil');
});

it.each([
  ['roles', { roles: ['operator'] }],
  ['emailVerified', { emailVerified: true }],
  ['a field of the profile that nobody declared', { profile: { roles: ['operator'] } }],
  ['a short password', { password: 'elevenchars' }],
  ['a common password', { password: 'Password1234' }],
  ['a counting password', { password: '123456789012' }],
  ['the address as the password', { password: 'refused@example.com' }],
  ['an address with a line break', { email: 'a@example.com\r\nbcc: b@example.com' }],
])('refuses %s', async (_what, more) => {
  const answer = await scene.browser().post('/sign-up', form('refused@example.com', more));
  expect(answer).toMatchObject({ status: 400, body: { type: '/problems/validation' } });
  expect(await sql(`select 1 from users where email like 'refused@%' or email like 'a@example%'`)).toEqual(
    [],
  );
});

describe('verifying', () => {
  it('takes a token once, and none that is too old; reading its address does nothing', async () => {
    const email = 'verify@example.com';
    await scene.browser().post('/sign-up', form(email));
    const token = scene.tokenFor(email);
    const mail = scene.mailbox.at(-1);
    // In the fragment, which no server and no scanner is sent.
    expect(mail?.text).toContain(`https://app.test/verify#token=${token}`);
    for (const url of [`/verify?token=${token}`, `/api/account/verify?token=${token}`])
      await scene.browser().send('GET', url);
    expect(await sql('select email_verified as it from users where email = $1', [email])).toEqual([
      { it: false },
    ]);
    expect(JSON.stringify(await sql('select * from verifications'))).not.toContain(token);

    await sql(`update verifications set expires_at = now() - interval '1 second' where identifier like $1`, [
      `verify:${hashToken(token)}`,
    ]);
    expect((await scene.browser().post('/verify', { token })).status).toBe(400);
    await scene.browser().post('/verify/send', { email });
    const fresh = scene.tokenFor(email);
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => scene.browser().post('/verify', { token: fresh })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400]);
  });

  it('takes no token that is for something else', async () => {
    const email = 'purpose@example.com';
    await signedIn(scene, email);
    await scene.browser().post('/reset/send', { email });
    expect((await scene.browser().post('/verify', { token: scene.tokenFor(email) })).status).toBe(400);
  });
});

describe("the adopter's files", () => {
  it('keep what is changed at the same time', async () => {
    await using own = await accountScene(
      {},
      {
        people: {
          profile: Type.Object({ a: Type.Optional(Type.Integer()), b: Type.Optional(Type.Integer()) }),
        },
      },
    );
    const browser = await signedIn(own, 'both@example.com');
    const change = (body: object) => browser.send('PATCH', '/api/account', body);
    for (let n = 1; n <= 10; n++) {
      await Promise.all([
        change({ profile: { a: n } }),
        change({ profile: { b: n } }),
        change({ name: `${n}` }),
      ]);
      const { rows } = await query(own.database.url, 'select name, profile from users');
      expect(rows).toEqual([{ name: `${n}`, profile: { a: n, b: n } }]);
    }
  });

  it('decide about profile, and act in the transaction of the sign-up', async () => {
    const seen: unknown[] = [];
    await using own = await accountScene(
      {},
      {
        people: {
          profile: Type.Object({ company: Type.String({ minLength: 1 }) }),
          async onSignUp(_tx, user) {
            if (user.profile.company === 'Evil Corp') throw new Error('not them');
            seen.push(user);
          },
        },
      },
    );
    const sign = (company?: string) =>
      own
        .browser()
        .post('/sign-up', form('boss@example.com', company === undefined ? {} : { profile: { company } }));
    expect(await sign()).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'body/profile/company', message: 'is empty' }] },
    });
    expect(await own.browser().send('GET', '/api/me')).toMatchObject({
      body: { offers: { profile: { properties: { company: { minLength: 1 } }, required: ['company'] } } },
    });
    expect((await sign('Evil Corp')).status).toBe(500);
    expect((await query(own.database.url, 'select 1 from users')).rows).toEqual([]);
    expect(own.mailbox).toEqual([]);
    expect((await sign('Good Inc')).status).toBe(200);
    expect(seen).toEqual([
      expect.objectContaining({ email: 'boss@example.com', profile: { company: 'Good Inc' } }),
    ]);
    await own.browser().post('/verify', { token: own.tokenFor('boss@example.com') });
    const browser = own.browser();
    await browser.post('/sign-in', { email: 'boss@example.com', password: PASSWORD });
    const change = (profile: object) => browser.send('PATCH', '/api/account', { profile });
    expect(await change({ company: 5 })).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'body/profile/company' }] },
    });
    expect((await change({ company: null })).status).toBe(400);
    // Of an earlier schema.
    await query(own.database.url, `update users set profile = profile || '{"gone": true}'`);
    expect((await change({ admin: true })).status).toBe(400);
    expect((await browser.send('PATCH', '/api/account', { roles: ['operator'] })).status).toBe(400);
    expect(await change({ company: 'Best Ltd' })).toMatchObject({
      status: 200,
      body: { profile: { company: 'Best Ltd' } },
    });
  });
});

describe('an invitation', () => {
  const invite = async (own: Scene, email: string, roles: string[] = [], expires = '1 day') => {
    const token = `invitation-${Math.random()}`;
    await query(
      own.database.url,
      `insert into invitations (id, email, roles, hash, expires_at)
       values (gen_random_uuid(), $1, $2, $3, now() + $4::interval)`,
      [email, roles, hashToken(token), expires],
    );
    return token;
  };

  it('is needed where sign-up is not open, proves the address, grants its roles, and is used once', async () => {
    await using own = await accountScene({ SIGN_UP: 'invitation' });
    const email = 'guest@example.com';
    expect((await own.browser().post('/sign-up', form(email))).status).toBe(403);
    const old = await invite(own, email, [], '-1 second');
    expect((await own.browser().post('/sign-up', form(email, { invitation: old }))).status).toBe(400);
    const invitation = await invite(own, email, ['operator']);
    // A mistyped address neither uses it up nor gets its roles.
    expect(await own.browser().post('/sign-up', form('geust@example.com', { invitation }))).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'body/email' }] },
    });
    const browser = own.browser();
    expect(await browser.post('/sign-up', form(email, { invitation }))).toMatchObject({
      status: 200,
      body: { next: 'done' },
    });
    expect((await browser.send('GET', '/api/me')).body).toMatchObject({
      user: { email, emailVerified: true },
      isOperator: true,
    });
    expect((await own.browser().post('/sign-up', form('more@example.com', { invitation }))).status).toBe(400);
  });

  it('lets one in of several who use it at once', async () => {
    await using own = await accountScene({ SIGN_UP: 'invitation' });
    const invitation = await invite(own, 'one@example.com', ['operator']);
    const answers = await Promise.all(
      ['one', 'two', 'three'].map((name) =>
        own.browser().post('/sign-up', form(`${name}@example.com`, { invitation })),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400]);
    expect((await query(own.database.url, 'select 1 from users')).rows).toHaveLength(1);
  });

  it('is what sign-up needs in production without a mail provider', async () => {
    await using own = await accountScene({}, { delivers: false });
    const me = await own.browser().send('GET', '/api/me');
    expect(me.body).toMatchObject({ user: null, offers: { signUp: 'invitation', setup: false } });
  });
});

it('signs in at once where sign-up is open and no mail can prove an address', async () => {
  await using own = await accountScene({ SIGN_UP: 'open' }, { delivers: false });
  const browser = own.browser();
  expect((await browser.post('/sign-up', form('bare@example.com'))).body.next).toBe('done');
  expect(await browser.me()).toMatchObject({ user: { email: 'bare@example.com', emailVerified: false } });
  const thief = own.browser();
  expect(
    (await thief.post('/sign-up', form('bare@example.com', { password: 'not the same one' }))).status,
  ).toBe(401);
  expect(await thief.me()).toMatchObject({ user: null });
});

it.each(['a[b@example.com', 'a\\b@example.com', 'a\u200bb@example.com', `${'a'.repeat(65)}@example.com`])(
  'refuses %j, to which no mail can be sent',
  async (email) => {
    expect((await scene.browser().post('/sign-up', form(email))).status).toBe(400);
  },
);

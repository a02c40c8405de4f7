import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { accountScene, PASSWORD, type Scene, SECRET, signedIn } from '../../../../tests/support/accounts.ts';
import { makeSession, makeUser } from '../../../../tests/support/people.ts';
import { query } from '../../../../tests/support/postgres.ts';
import type { Part } from '../../../platform/parts.ts';
import { resigned, sessionCookie, signed } from './cookies.ts';
import { hashPassword } from './passwords.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await accountScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const NAME = sessionCookie(true);
const sql = async (text: string, values: unknown[] = []) =>
  (await query(scene.database.url, text, values)).rows;
async function person(columns: Parameters<typeof makeUser>[2] = {}, own = scene) {
  const id = await makeUser(scene.database.url, 'Person', columns);
  const browser = own.browser();
  browser.cookies.set(NAME, signed((await makeSession(scene.database.url, id)).token, SECRET));
  return { browser, id };
}

describe('a recent sign-in', () => {
  const ageOf = async (id: string) =>
    Number(
      (
        await sql(
          'select extract(epoch from now() - authenticated_at) as age from sessions where user_id = $1',
          [id],
        )
      )[0].age,
    );

  it('is not made more recent by anything but a password', async () => {
    const { browser, id } = await person();
    await sql("update sessions set authenticated_at = now() - interval '9 minutes' where user_id = $1", [id]);
    expect((await browser.send('DELETE', '/api/account/two-factor')).status).toBe(204);
    expect(await ageOf(id)).toBeGreaterThan(500);
    expect((await browser.post('/password', { password: PASSWORD })).status).toBe(204);
    expect(await ageOf(id)).toBeGreaterThan(500);
  });
});

describe('an operator who acts as a user', () => {
  const acting = async () => {
    const operator = await person({ roles: ['operator'] });
    const { id } = await person();
    const act = `/api/admin/users/${id}/impersonation`;
    expect((await operator.browser.send('POST', act, { reason: 'Support' })).status).toBe(204);
    return operator;
  };

  it('signs out of both, and leaves no cookie', async () => {
    const { browser, id } = await acting();
    expect((await browser.post('/sign-out')).status).toBe(204);
    expect([...browser.cookies.keys()]).toEqual([]);
    expect(await sql('select id from sessions where user_id = $1', [id])).toEqual([]);
  });

  it('does not act as one who may not sign in', async () => {
    const { browser } = await person({ roles: ['operator'] });
    for (const columns of [{ banned_at: new Date() }, { email_verified: false }]) {
      const { id } = await person(columns);
      const act = `/api/admin/users/${id}/impersonation`;
      expect((await browser.send('POST', act, { reason: 'Support' })).status).toBe(403);
      expect((await browser.send('GET', '/api/admin/users')).status).toBe(200);
    }
  });
});

describe('two sessions in one request', () => {
  it('are not judged by the one and changed in the other', async () => {
    const [one, other] = [await person({ email_verified: false }), await person()];
    const cookie = `${NAME} =${one.browser.cookies.get(NAME)}; ${NAME}=${other.browser.cookies.get(NAME)}`;
    const answer = await scene.server.app.inject({
      method: 'POST',
      url: '/api/account/password',
      headers: { cookie },
      payload: { password: 'quite another four words' },
    });
    expect(answer.statusCode).toBe(401);
    expect(await sql('select id from credentials where user_id = $1', [one.id])).toEqual([]);
  });
});

describe('an address that nobody has proved', () => {
  it('keeps no way in of the one who was first, once it is signed up with again', async () => {
    // Before a provider of mail was set.
    await using own = await accountScene({ SIGN_UP: 'open' }, { database: scene.database, delivers: false });
    const email = 'awaited@example.com';
    const eve = own.browser();
    await eve.post('/sign-up', { name: 'Eve', email, password: 'the thief was first' });
    expect(await eve.me()).toMatchObject({ user: { email } });
    expect((await eve.post('/keys', { name: 'Later', permissions: [] })).status).toBe(200);

    await scene.browser().post('/sign-up', { name: 'Ada', email, password: PASSWORD });
    await scene.browser().post('/verify', { token: scene.tokenFor(email) });
    const cookies = eve.cookies;
    const later = scene.browser();
    for (const [name, value] of cookies) later.cookies.set(name, value);
    expect(await later.me()).toMatchObject({ user: null });
    const keys = 'select api_keys.id from api_keys join users on users.id = user_id where email = $1';
    expect(await sql(keys, [email])).toEqual([]);
  });

  it('grants the roles of an invitation to one who had signed up without it', async () => {
    const operator = await person({ roles: ['operator'] });
    const email = 'early@example.com';
    await operator.browser.send('POST', '/api/admin/invitations', { email, roles: ['operator'] });
    const invitation = scene.tokenFor(email);
    await scene.browser().post('/sign-up', { name: 'Ada', email, password: 'the thief was first' });
    const browser = scene.browser();
    const answer = await browser.post('/sign-up', { name: 'Ada', email, password: PASSWORD, invitation });
    expect(answer).toMatchObject({ status: 200, body: { next: 'done' } });
    expect((await browser.send('GET', '/api/account')).body).toMatchObject({
      emailVerified: true,
      roles: ['operator'],
    });
  });
});

describe('a session that idles', () => {
  it('goes on while it is used, however short the time', async () => {
    await using own = await accountScene({ SESSION_IDLE_TIMEOUT: '300' }, { database: scene.database });
    const { browser, id } = await person({}, own);
    await sql("update sessions set updated_at = now() - interval '200 seconds' where user_id = $1", [id]);
    expect((await browser.me()).user).not.toBeNull();
    await expect
      .poll(() =>
        sql("select id from sessions where user_id = $1 and updated_at > now() - interval '60 seconds'", [
          id,
        ]),
      )
      .toHaveLength(1);
  });
});

describe('sessions that have ended', () => {
  it('are removed at the next sign-in', async () => {
    const email = 'often@example.com';
    const browser = await signedIn(scene, email);
    const [{ user_id: id }] = await sql(
      'select user_id from sessions join users on users.id = user_id where email = $1',
      [email],
    );
    await makeSession(scene.database.url, id, { expires_at: new Date(0) });
    await browser.post('/sign-in', { email, password: PASSWORD });
    expect(await sql('select id from sessions where user_id = $1', [id])).toHaveLength(1);
  });
});

describe('a crowded server', () => {
  it('does not count a sign-in that it did not check as a wrong password', async () => {
    const email = 'crowded@example.com';
    await signedIn(scene, email);
    // Two hashes run and 25 wait, until the requests are answered: each that ends is replaced at once.
    let crowded = true;
    const line = Array.from({ length: 27 }, async () => {
      while (crowded) await hashPassword(PASSWORD);
    });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => scene.browser().post('/sign-in', { email, password: PASSWORD })),
    );
    crowded = false;
    await Promise.all(line);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    expect((await scene.browser().post('/sign-in', { email, password: PASSWORD })).status).toBe(200);
  });
});

describe('main.js admin create', () => {
  it('makes no operator of a browser that was signed in before', async () => {
    const { browser, id } = await person();
    const [{ email }] = await sql('select email from users where id = $1', [id]);
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const accounts = scene.server.modules.find(({ name }) => name === 'accounts');
    expect(
      await accounts?.commands?.admin?.run(['create', email], new AbortController().signal, () => {}),
    ).toBe(0);
    log.mockRestore();
    await expect.poll(async () => (await browser.send('GET', '/api/admin/users')).status).toBe(401);
  });
});

describe('the last two operators', () => {
  it('cannot ban each other at once', async () => {
    await sql("update users set roles = '{}'");
    const two = [await person({ roles: ['operator'] }), await person({ roles: ['operator'] })];
    const answers = await Promise.all(
      two.map(({ browser }, n) =>
        browser.send('POST', `/api/admin/users/${two[1 - n]?.id}/ban`, { reason: 'Spam' }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const left = "select id from users where roles @> '{operator}' and banned_at is null";
    expect(await sql(left)).toHaveLength(1);
  });
});

describe('texts that PostgreSQL cannot keep', () => {
  it('are refused as what they are', async () => {
    await using own = await accountScene(
      {},
      { database: scene.database, people: { profile: Type.Object({ city: Type.String() }) } },
    );
    const { browser } = await person({}, own);
    const change = async (city: string) =>
      (await browser.send('PATCH', '/api/account', { profile: { city } })).status;
    expect(await change('a\u0000b')).toBe(400);
    expect(await change('a\ud800b')).toBe(400);
    expect(await change('a\\u0000b \ud83d\ude00')).toBe(200);
    const operator = (await person({ roles: ['operator'] })).browser;
    const { id } = await person();
    expect((await operator.send('GET', '/api/admin/users?search=%00')).status).toBe(400);
    expect((await operator.send('GET', '/api/admin/users?role=%00')).status).toBe(400);
    const ban = async (body: object) =>
      (await operator.send('POST', `/api/admin/users/${id}/ban`, body)).status;
    expect(await ban({ reason: 'Spam\u0000' })).toBe(400);
    expect(await ban({ reason: 'Spam', until: '9999-12-31T23:59:60Z' })).toBe(400);
  });
});

describe('an operator without the second factor that operators need', () => {
  it('has the permissions of a user, and gives no more to a key', async () => {
    const part: Part = {
      name: 'vault',
      permissions: { 'vault:open': 'Open the vault.' },
      async routes(app) {
        const config = { access: { permission: 'vault:open' } };
        app.route({ method: 'GET', url: '/api/vault', config, handler: async () => ({}) });
      },
    };
    await using own = await accountScene(
      { REQUIRE_MFA: 'operators' },
      { database: scene.database, parts: [part] },
    );
    const { browser, id } = await person({ roles: ['operator'] }, own);
    expect((await browser.send('GET', '/api/vault')).status).toBe(403);
    expect((await browser.post('/keys', { name: 'All', permissions: ['vault:open'] })).status).toBe(403);
    expect((await browser.send('GET', '/api/admin/users')).body.detail).toMatch(/second factor/);
    await sql('update users set two_factor_enabled = true where id = $1', [id]);
    const { token } = await makeSession(scene.database.url, id);
    browser.cookies.set(NAME, signed(token, SECRET));
    expect((await browser.send('GET', '/api/vault')).status).toBe(200);
    expect((await browser.send('GET', '/api/admin/users')).status).toBe(200);
  });
});

describe('guesses from many addresses', () => {
  it('have no device cookie of an address that was only signed up with', async () => {
    const email = 'unproved@example.com';
    const eve = scene.browser();
    await eve.post('/sign-up', { name: 'Eve', email, password: PASSWORD });
    expect((await eve.post('/sign-in', { email, password: PASSWORD })).body.next).toBe('verify');
    expect([...eve.cookies.keys()]).toEqual([]);
  });

  it('do not keep an owner out who sets a new password by mail', async () => {
    const email = 'guessed@example.com';
    await signedIn(scene, email);
    await Promise.all(
      Array.from({ length: 21 }, () => scene.browser().post('/sign-in', { email, password: 'a guess' })),
    );
    const owner = scene.browser();
    await owner.post('/reset/send', { email });
    const password = 'quite another four words';
    await owner.post('/reset', { token: scene.tokenFor(email), password });
    expect((await owner.post('/sign-in', { email, password })).status).toBe(200);
  });
});

describe('a request with a thousand cookies', () => {
  it('holds up nobody else', () => {
    const header = Array.from({ length: 1_000 }, (_, n) => `__Host-account${n.toString(36)}=a`).join(';');
    const ofOne = () => {
      const begun = performance.now();
      expect(resigned(header, [SECRET], (name) => name.startsWith('__Host-account'))).toBe('');
      return performance.now() - begun;
    };
    expect(Math.min(...Array.from({ length: 5 }, ofOne))).toBeLessThan(30);
  });
});

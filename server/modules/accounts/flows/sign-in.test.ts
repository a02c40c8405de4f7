import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountScene, PASSWORD, type Scene, signedIn } from '../../../../tests/support/accounts.ts';
import { query } from '../../../../tests/support/postgres.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await accountScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const sql = async (text: string, values?: unknown[]) => (await query(scene.database.url, text, values)).rows;

describe('a new account', () => {
  it('is made, verified by a form, and signs in and out', async () => {
    const browser = scene.browser();
    const email = 'Ada@Example.com';
    expect(await browser.post('/sign-up', { name: 'Ada', email, password: PASSWORD })).toMatchObject({
      status: 200,
      body: { next: 'verify' },
      cookies: [],
    });
    expect(await browser.post('/sign-in', { email, password: PASSWORD })).toMatchObject({
      status: 200,
      body: { next: 'verify' },
    });
    expect(browser.cookies.has('__Host-account.session_token')).toBe(false);
    const token = scene.tokenFor('ada@example.com');
    expect(await browser.post('/verify', { token })).toMatchObject({ status: 200, body: { next: 'done' } });
    const signIn = await browser.post('/sign-in', { email, password: PASSWORD });
    expect(signIn).toMatchObject({ status: 200, body: { next: 'done' } });
    expect(signIn.cookies.find((one) => one.startsWith('__Host-account.session_token='))).toMatch(
      /; Max-Age=604800; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
    const account = await browser.send('GET', '/api/account');
    expect(account).toMatchObject({
      status: 200,
      body: { email: 'ada@example.com', emailVerified: true, hasPassword: true, twoFactor: false },
    });
    const before = new Map(browser.cookies);
    expect((await browser.post('/sign-out')).status).toBe(204);
    expect(browser.cookies.has('__Host-account.session_token')).toBe(false);
    // The cookie that a thief kept is worth nothing.
    for (const [name, value] of before) browser.cookies.set(name, value);
    expect((await browser.send('GET', '/api/account')).status).toBe(401);
  });
});

it('keeps no token in the database that signs in', async () => {
  const browser = await signedIn(scene, 'grace@example.com');
  const cookie = decodeURIComponent(browser.cookies.get('__Host-account.session_token') as string);
  const token = cookie.slice(0, cookie.lastIndexOf('.'));
  const rows = await sql('select * from sessions');
  expect(rows.length).toBeGreaterThan(0);
  expect(JSON.stringify(rows)).not.toContain(token);
  expect(rows.at(-1)).toMatchObject({
    ip_address: expect.stringMatching(/^10\.0\.0\.\d+$/),
    user_agent: 'Test/1.0',
  });
});

it('is counted, and so are failures', async () => {
  await using own = await accountScene({ INTERNAL_API_KEY: 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R' });
  const browser = await signedIn(own, 'counted@example.com');
  await browser.post('/sign-in', { email: 'counted@example.com', password: 'wrong words, four of' });
  const { body } = await own.server.app.inject({
    url: '/metrics',
    headers: { authorization: 'Bearer Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R' },
  });
  expect(body).toMatch(/account_sign_ins_total\{outcome="success"\} 1\n/);
  expect(body).toMatch(/account_sign_ins_total\{outcome="failure"\} 1\n/);
  expect(body).toMatch(/account_sign_ups_total 1\n/);
});

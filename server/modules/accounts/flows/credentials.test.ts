import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  accountScene,
  type Browser,
  PASSWORD,
  type Scene,
  signedIn,
} from '../../../../tests/support/accounts.ts';
import { query } from '../../../../tests/support/postgres.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await accountScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const NEW = 'four other words now';
const account = async (browser: Browser) => (await browser.send('GET', '/api/account')).status;
const signIn = async (email: string, password = PASSWORD) => {
  const browser = scene.browser();
  const { status } = await browser.post('/sign-in', { email, password });
  return { browser, status };
};
/** As if the last sign-in were an hour ago. */
const later = (email: string) =>
  query(
    scene.database.url,
    `update sessions set authenticated_at = now() - interval '1 hour' from users where users.id = user_id and email = $1`,
    [email],
  );

describe('a forgotten password', () => {
  it('is set anew by a link that works once, and every session ends', async () => {
    const email = 'forgot@example.com';
    const browser = await signedIn(scene, email);
    expect((await scene.browser().post('/reset/send', { email: 'Forgot@Example.com' })).status).toBe(204);
    const token = scene.tokenFor(email);
    expect(scene.mailbox.at(-1)?.text).toContain(`https://app.test/reset#token=${token}`);
    const reset = (password: string) => scene.browser().post('/reset', { token, password });
    expect((await reset('password1234')).status).toBe(400);
    expect((await reset(email)).status).toBe(400);
    const answers = await Promise.all([reset(NEW), reset(NEW), reset(NEW)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 400, 400]);
    expect(await account(browser)).toBe(401);
    expect((await signIn(email)).status).toBe(401);
    expect((await signIn(email, NEW)).status).toBe(200);
    expect(scene.mailbox.at(-1)).toMatchObject({ to: email, template: 'password-changed' });
  });

  it('keeps its link where others ask for so many that no more are mailed', async () => {
    const email = 'asked@example.com';
    await signedIn(scene, email);
    const ask = () => scene.browser().post('/reset/send', { email });
    await ask();
    const token = scene.tokenFor(email);
    scene.refuses.add('reset-password');
    for (let n = 0; n < 3; n++) expect((await ask()).status).toBe(204);
    scene.refuses.delete('reset-password');
    expect(scene.tokenFor(email)).toBe(token);
    expect((await scene.browser().post('/reset', { token, password: NEW })).status).toBe(204);
  });

  it('is answered the same for an unknown address, to which no mail goes', async () => {
    const mails = scene.mailbox.length;
    expect(await scene.browser().post('/reset/send', { email: 'nobody@example.com' })).toEqual(
      await scene.browser().post('/verify/send', { email: 'nobody@example.com' }),
    );
    expect(scene.mailbox.length).toBe(mails);
  });
});

describe('a new password', () => {
  it('needs a recent sign-in, ends all other sessions, and gives this one a new token', async () => {
    const email = 'password@example.com';
    const browser = await signedIn(scene, email);
    const other = await signIn(email);
    await later(email);
    expect(await browser.post('/password', { password: NEW })).toMatchObject({
      status: 401,
      body: { type: '/problems/reauthenticate' },
    });
    expect((await browser.post('/reauthenticate', { password: 'not this one' })).status).toBe(401);
    const stolen = new Map(browser.cookies);
    expect((await browser.post('/reauthenticate', { password: PASSWORD })).status).toBe(200);
    expect((await browser.post('/password', { password: NEW })).status).toBe(204);
    expect(await account(browser)).toBe(200);
    expect(await account(other.browser)).toBe(401);
    const thief = scene.browser();
    for (const [name, value] of stolen) thief.cookies.set(name, value);
    expect(await account(thief)).toBe(401);
    expect((await signIn(email)).status).toBe(401);
    expect((await signIn(email, NEW)).status).toBe(200);
  });
});

describe('a new address', () => {
  it('comes by no link that was asked for before the password was set anew', async () => {
    const email = 'robbed@example.com';
    const thief = await signedIn(scene, email);
    expect((await thief.post('/email', { email: 'thief@example.com' })).status).toBe(204);
    const link = scene.tokenFor('thief@example.com');
    await scene.browser().post('/reset/send', { email });
    await scene.browser().post('/reset', { token: scene.tokenFor(email), password: NEW });
    expect((await scene.browser().post('/verify', { token: link })).status).toBe(400);
    const owner = (await signIn(email, NEW)).browser;
    expect(await owner.me()).toMatchObject({ user: { email } });
    await owner.post('/email', { email: 'thief@example.com' });
    const second = scene.tokenFor('thief@example.com');
    expect((await owner.post('/password', { password: PASSWORD })).status).toBe(204);
    expect((await scene.browser().post('/verify', { token: second })).status).toBe(400);
  });

  it('is used once its owner has followed the link; the old one is told', async () => {
    const email = 'old@example.com';
    const browser = await signedIn(scene, email);
    await later(email);
    expect((await browser.post('/email', { email: 'new@example.com' })).status).toBe(401);
    await browser.post('/reauthenticate', { password: PASSWORD });
    expect((await browser.post('/email', { email: 'New@example.com' })).status).toBe(204);
    expect((await signIn('new@example.com')).status).toBe(401);
    const token = scene.tokenFor('new@example.com');
    expect((await scene.browser().post('/verify', { token })).status).toBe(200);
    expect(scene.mailbox.at(-1)).toMatchObject({ to: email, template: 'email-changed' });
    expect((await browser.send('GET', '/api/account')).body).toMatchObject({ email: 'new@example.com' });
    expect((await signIn(email)).status).toBe(401);
    expect((await signIn('new@example.com')).status).toBe(200);
  });

  it('is never one of another account, nor is that told', async () => {
    await signedIn(scene, 'theirs@example.com');
    const browser = await signedIn(scene, 'mine@example.com');
    expect((await browser.post('/email', { email: 'theirs@example.com' })).status).toBe(204);
    expect(scene.mailbox.at(-1)).toMatchObject({ to: 'theirs@example.com', template: 'account-exists' });
    await browser.post('/email', { email: 'soon@example.com' });
    const token = scene.tokenFor('soon@example.com');
    await signedIn(scene, 'soon@example.com');
    expect((await scene.browser().post('/verify', { token })).status).toBe(400);
    expect((await browser.send('GET', '/api/account')).body).toMatchObject({ email: 'mine@example.com' });
  });
});

describe('sessions', () => {
  it('are listed and ended one by one, or all but this one; never those of others', async () => {
    const email = 'many@example.com';
    const browser = await signedIn(scene, email);
    const others = [await signIn(email), await signIn(email)];
    const stranger = await signedIn(scene, 'stranger@example.com');
    const list = async (of: Browser) =>
      (
        (await of.send('GET', '/api/account/sessions')).body as never as {
          items: { id: string; current: boolean }[];
        }
      ).items;
    const items = await list(browser);
    expect(items.filter(({ current }) => current)).toHaveLength(1);
    expect(items).toHaveLength(3);
    const [theirs] = await list(stranger);
    expect((await browser.send('DELETE', `/api/account/sessions/${theirs?.id}`)).status).toBe(404);
    expect(await account(stranger)).toBe(200);
    const [mine] = await list(others[0]?.browser as Browser).then((all) =>
      all.filter(({ current }) => current),
    );
    expect((await browser.send('DELETE', `/api/account/sessions/${mine?.id}`)).status).toBe(204);
    expect(await account(others[0]?.browser as Browser)).toBe(401);
    expect((await browser.send('DELETE', '/api/account/sessions')).status).toBe(204);
    expect(await account(others[1]?.browser as Browser)).toBe(401);
    expect(await account(browser)).toBe(200);
  });
});

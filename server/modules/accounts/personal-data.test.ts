import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  accountScene,
  type Browser,
  PASSWORD,
  type Scene,
  signedIn,
} from '../../../tests/support/accounts.ts';
import { query } from '../../../tests/support/postgres.ts';
import type { Part } from '../../platform/parts.ts';

let scene: Scene;
/** What a part that keeps data of people is asked. */
const asked: string[] = [];
const diary: Part = {
  name: 'diary',
  permissions: { 'diary:read': 'Read the diary.' },
  personalData: {
    async export(userId, email) {
      asked.push(`export ${email}`);
      return [{ userId, text: 'Dear diary' }];
    },
    async erase(tx, userId, email) {
      asked.push(`erase ${email}`);
      await tx.execute(`delete from notes where title = '${userId}'`);
      if (email.startsWith('stuck')) throw new Error('the diary is locked');
    },
  },
  async routes(app) {
    app.get('/api/diary', { config: { access: { permission: 'diary:read' } } }, () => 'Dear diary');
    app.post('/api/diary', { config: { access: { permission: 'diary:read' } } }, async ({ scope }, reply) => {
      await query(scene.database.url, 'insert into notes (title) values ($1)', [scope?.userId]);
      return reply.code(204).send();
    });
  },
};

beforeAll(async () => {
  scene = await accountScene({}, { people: { roles: { user: ['diary:read'] } }, parts: [diary] });
});
afterAll(() => scene[Symbol.asyncDispose]());

const count = async (table: string) =>
  Number((await query(scene.database.url, `select count(*) from ${table}`)).rows[0].count);
const erase = (browser: Browser, email: string) => browser.post('/erase', { email });

it('an export has what each part holds, and nothing that lets anybody sign in', async () => {
  const ada = await signedIn(scene, 'export@example.com');
  const made = await ada.post('/keys', { name: 'CI', permissions: ['diary:read'] });
  const { body } = await ada.send('GET', '/api/account/export');
  expect(body).toMatchObject({
    accounts: {
      user: { email: 'export@example.com', name: 'Ada Lovelace' },
      sessions: [{ userAgent: 'Test/1.0' }],
      signInWith: [{ provider: 'credential' }],
      apiKeys: [{ name: 'CI', permissions: ['diary:read'] }],
    },
    diary: [{ text: 'Dear diary' }],
  });
  const { rows } = await query(
    scene.database.url,
    `select array[s.token, c.password, k.hash] as secrets from users u join sessions s on s.user_id = u.id
      join credentials c on c.user_id = u.id join api_keys k on k.user_id = u.id where u.email = 'export@example.com'`,
  );
  const secrets = [...rows[0].secrets, (made.body as never as { key: string }).key];
  expect(secrets).toHaveLength(4);
  for (const secret of secrets) expect(JSON.stringify(body)).not.toContain(secret);
});

it('needs a recent sign-in, and an export is the own one alone', async () => {
  const ada = await signedIn(scene, 'recent@example.com');
  await query(scene.database.url, `update sessions set authenticated_at = now() - interval '11 minutes'`);
  await query(
    scene.database.url,
    `select pg_notify('users', (select id from users where email = 'recent@example.com'))`,
  );
  const type = async () => (await ada.send('GET', '/api/account/export')).body.type;
  await expect.poll(type).toBe('/problems/reauthenticate');
  expect((await erase(ada, 'recent@example.com')).body.type).toBe('/problems/reauthenticate');
  expect((await scene.browser().send('GET', '/api/account/export')).status).toBe(401);
});

it('an erasure takes everything in one transaction, with sessions and keys, and says so by mail', async () => {
  const before = await Promise.all(['users', 'sessions', 'credentials', 'api_keys'].map(count));
  const ada = await signedIn(scene, 'erase@example.com');
  const other = scene.browser();
  await other.post('/sign-in', { email: 'erase@example.com', password: PASSWORD });
  expect((await other.send('GET', '/api/account')).status).toBe(200);
  const made = (await ada.post('/keys', { name: 'CI', permissions: ['diary:read'] })).body as never as {
    key: string;
  };
  const statusByKey = async () =>
    (await scene.server.app.inject({ url: '/api/diary', headers: { authorization: `Bearer ${made.key}` } }))
      .statusCode;
  expect(await statusByKey()).toBe(200);

  expect((await erase(ada, 'eve@example.com')).status).toBe(400);
  expect((await erase(scene.browser(), 'erase@example.com')).status).toBe(401);
  expect(asked).not.toContain('erase erase@example.com');

  expect((await erase(ada, 'Erase@Example.com')).status).toBe(204);
  expect([...ada.cookies.keys()].filter((name) => name.includes('session'))).toEqual([]);
  expect(asked).toContain('erase erase@example.com');
  expect(await Promise.all(['users', 'sessions', 'credentials', 'api_keys'].map(count))).toEqual(before);
  expect(scene.mailbox.at(-1)).toMatchObject({ to: 'erase@example.com', template: 'account-erased' });
  expect((await other.send('GET', '/api/account')).status).toBe(401);
  expect(await statusByKey()).toBe(401);
});

it('an erasure leaves nothing of what the user writes meanwhile', async () => {
  const ada = await signedIn(scene, 'busy@example.com');
  const [{ id }] = (await query(scene.database.url, `select id from users where email = 'busy@example.com'`))
    .rows;
  let done = false;
  const writing = (async () => {
    while (!done) await ada.send('POST', '/api/diary');
  })();
  expect((await erase(ada, 'busy@example.com')).status).toBe(204);
  done = true;
  await writing;
  expect(await count(`notes where title = '${id}'`)).toBe(0);
});

it('nothing is erased where a part cannot', async () => {
  const ada = await signedIn(scene, 'stuck@example.com');
  const mails = scene.mailbox.length;
  expect((await erase(ada, 'stuck@example.com')).status).toBe(500);
  // The user is signed out, and can try again.
  const form = { email: 'stuck@example.com', password: PASSWORD };
  expect((await scene.browser().post('/sign-in', form)).body.next).toBe('done');
  expect(scene.mailbox).toHaveLength(mails);
});

it('of the last two operators who erase themselves at once, one stays', async () => {
  const emails = ['olga@example.com', 'otto@example.com'];
  const browsers = await Promise.all(emails.map((email) => signedIn(scene, email)));
  await query(scene.database.url, `update users set roles = '{operator}' where email like 'o%'`);
  const answers = await Promise.all(browsers.map((browser, at) => erase(browser, emails[at] as string)));
  expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
});

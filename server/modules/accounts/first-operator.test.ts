import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { accountScene, PASSWORD, type Scene, SECRET } from '../../../tests/support/accounts.ts';
import { makeUser } from '../../../tests/support/people.ts';
import { createDatabase, query } from '../../../tests/support/postgres.ts';
import { startServer } from '../../../tests/support/server.ts';
import { until } from '../../../tests/support/until.ts';
import { user } from '../../../tests/support/user.ts';

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';
/** A test database begins with the user of the tests. */
const OTHERS = 'select roles from users where id <> $1';

let scene: Scene;
beforeAll(async () => {
  scene = await accountScene({ INTERNAL_API_KEY: KEY, SIGN_UP: 'invitation' });
});
afterAll(() => scene[Symbol.asyncDispose]());

const sql = async (text: string, values: unknown[] = []) =>
  (await query(scene.database.url, text, values)).rows;
beforeEach(() => sql('truncate users, invitations cascade'));

const FORM = { key: KEY, name: 'Olga', email: 'Olga@example.com', password: PASSWORD };
const over = { headers: { 'x-forwarded-proto': 'https' } };
const part = () => scene.server.modules.find(({ name }) => name === 'accounts');

describe('/setup', () => {
  // A server that has found an operator once does not look again.
  const fresh = async () => accountScene({ INTERNAL_API_KEY: KEY, TRUST_PROXY: '127.0.0.1,10.0.0.0/8' });

  it('makes the first operator with a key, and no second one, be it at the same time', async () => {
    await using own = await fresh();
    const browsers = [own.browser(over), own.browser(over)];
    const offered = async () =>
      ((await own.browser(over).send('GET', '/api/me')).body as never as { offers: { setup: boolean } })
        .offers.setup;
    expect(await offered()).toBe(true);
    const answers = await Promise.all(
      browsers.map((browser, n) => browser.post('/setup', { ...FORM, email: `olga-${n}@example.com` })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(await offered()).toBe(false);
    const winner = browsers[answers.findIndex(({ status }) => status === 200)];
    expect(await winner?.me()).toMatchObject({ user: { emailVerified: true }, isOperator: true });
    expect((await winner?.send('GET', '/api/admin/users'))?.status).toBe(200);
  });

  it('takes no other key, no weak password, nothing over plain HTTP, and no account that is there already', async () => {
    await using own = await fresh();
    const ask = async (form: object, options: object = over) =>
      (await own.browser(options).post('/setup', form)).status;
    expect(await ask({ ...FORM, key: `${KEY}x` })).toBe(401);
    expect(await ask({ ...FORM, password: 'passwordpassword' })).toBe(400);
    expect(await ask(FORM, { headers: { host: 'app.test' } })).toBe(403);
    // An attacker may have signed up with the address to wait for this.
    await query(
      own.database.url,
      "insert into users (id, name, email) values ('eve', 'Eve', 'olga@example.com')",
    );
    expect(await ask(FORM)).toBe(409);
    const { rows } = await query(own.database.url, OTHERS, [user.id]);
    expect(rows).toEqual([{ roles: [] }]);
  });

  it('is no place to guess keys', async () => {
    await using own = await fresh();
    const browser = own.browser({ ...over, remoteAddress: '10.9.9.9' });
    const statuses = [];
    for (let n = 0; n < 12; n++)
      statuses.push((await browser.post('/setup', { ...FORM, key: `guess ${n}` })).status);
    expect(statuses).toContain(429);
    expect((await browser.post('/setup', FORM)).status).toBe(429);
  });
});

describe('main.js admin create', () => {
  async function run(...args: string[]) {
    const [log, error] = [vi.spyOn(console, 'log'), vi.spyOn(console, 'error')].map((spy) =>
      spy.mockImplementation(() => {}),
    );
    const code = await part()?.commands?.admin?.run(args, new AbortController().signal, () => {});
    const texts = [log, error].flatMap((spy) => spy?.mock.calls.flat() ?? []).join('\n');
    vi.restoreAllMocks();
    return { code, text: texts };
  }

  it('prints a link that makes an operator, once', async () => {
    const { code, text } = await run('create', 'Olga@Example.com');
    expect(code).toBe(0);
    const invitation = /^https:\/\/app\.test\/join#token=([\w-]{43})$/m.exec(text)?.[1];
    const browser = scene.browser();
    const form = { name: 'Olga', email: 'olga@example.com', password: PASSWORD, invitation };
    expect((await browser.post('/sign-up', form)).status).toBe(200);
    expect((await browser.post('/sign-in', { email: form.email, password: PASSWORD })).status).toBe(200);
    expect(await browser.me()).toMatchObject({ isOperator: true });
    expect((await scene.browser().post('/sign-up', { ...form, email: 'eve@example.com' })).status).toBe(400);
  });

  it('makes an operator of a user who has shown the address, and of no other', async () => {
    const url = scene.database.url;
    const ada = await makeUser(url, 'Ada', { roles: ['clerk'] });
    const eve = await makeUser(url, 'Eve', { email_verified: false });
    expect((await run('create', `ada-${ada}@example.com`)).text).toMatch(/is an operator now/);
    expect((await run('create', `eve-${eve}@example.com`)).code).toBe(1);
    const rows = await sql('select id, roles from users order by name');
    expect(rows).toEqual([
      { id: ada, roles: ['clerk', 'operator'] },
      { id: eve, roles: [] },
    ]);
  });

  it('says how it is used', async () => {
    for (const args of [[], ['create'], ['create', 'olga'], ['delete', 'olga@example.com']]) {
      expect(await run(...args)).toEqual({ code: 64, text: expect.stringMatching(/^Usage: /) });
    }
  });
});

describe('the link at the start of a development server', () => {
  it('makes an operator, within 15 minutes and once', async () => {
    await using own = await accountScene({ SIGN_UP: 'invitation' });
    const rowsOf = async (text: string) => (await query(own.database.url, text)).rows;
    const accounts = own.server.modules[0];
    expect(await accounts?.startHint?.()).toMatch(/npm run admin -- create EMAIL/);
    const first = await accounts?.startLink?.();
    const { path = '' } = (await accounts?.startLink?.()) ?? {};
    expect(path).toMatch(/^\/join#token=/);
    const tokenOf = (link = '') => link.split('=')[1];
    const form = { name: 'Olga', email: 'olga@example.com', password: PASSWORD };
    const join = (link?: string) => own.browser().post('/sign-up', { ...form, invitation: tokenOf(link) });
    // That of an earlier start has ended.
    expect((await join(first?.path)).status).toBe(400);
    const [{ minutes }] = await rowsOf(
      'select extract(epoch from expires_at - now()) / 60 as minutes from invitations',
    );
    expect(Number(minutes)).toBeCloseTo(15, 0);
    expect((await join(path)).status).toBe(200);
    expect((await query(own.database.url, OTHERS, [user.id])).rows[0]).toEqual({ roles: ['operator'] });
    // From now on there is none.
    expect(await accounts?.startLink?.()).toBeUndefined();
    expect(await accounts?.startHint?.()).toBeUndefined();
  });

  it('is told by a line of the log where no terminal shows it', async () => {
    const database = await createDatabase();
    {
      const env = { DATABASE_URL: database.url, NODE_ENV: 'development', SESSION_SECRET: SECRET };
      await using server = await startServer(env);
      await server.ready();
      await until('the hint', () => server.output().includes('npm run admin -- create EMAIL'));
    }
    await database.drop();
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTestApp, type TestApp } from '../../../../tests/support/app.ts';
import { createDatabase, type TestDatabase } from '../../../../tests/support/postgres.ts';
import type { Part } from '../../parts.ts';
import { SignInToken } from './sign-in-token.ts';

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';
const OTHER_KEY = 'q8RtY2mWc5Vb0XnLzP4sKd7HfJg1TaEuIo3QeBi6MvC';
const SECRET = 'Hn5cVt2QxWm8RzKb0LpYs4GdFj7UaEoi';
const SESSION = '/api/operations/session';
const CLOSED = '/api/closed';
const MINUTE = 60_000;

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await createDatabase();
  server = await make();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});
afterEach(() => {
  vi.useRealTimers();
});

const make = (env: Record<string, string> = {}, signInToken?: SignInToken) =>
  createTestApp(
    database.url,
    { INTERNAL_API_KEY: KEY, SESSION_SECRET: SECRET, TRUST_PROXY: 'loopback', ...env },
    { signInToken, features: [closed] },
  );

/** What operators alone may read and write. */
const closed = (): Part => ({
  name: 'closed',
  async routes(app) {
    app.route({
      method: ['GET', 'PUT'],
      url: CLOSED,
      config: { access: 'operator' },
      handler: async () => 'inside',
    });
  },
});

let clients = 0;
/** Another client each time, because failures are counted. */
const from = () => ({ 'x-forwarded-for': `203.0.113.${++clients}` });

const signIn = ({ app }: TestApp, payload: object, headers: Record<string, string> = from()) =>
  app.inject({ method: 'POST', url: SESSION, payload, headers });

/** @returns What a browser sends back. */
const cookieOf = (answer: { headers: Record<string, unknown> }) =>
  String(answer.headers['set-cookie']).split(';')[0] as string;

const ask = async ({ app }: TestApp, cookie: string, more: Record<string, string> = {}) =>
  (await app.inject({ url: CLOSED, headers: { cookie, ...more } })).statusCode;

it('says in development alone that this is development and where the key is', async () => {
  const env = { NODE_ENV: 'development' };
  await using given = await make(env);
  await using generated = await make({ ...env, INTERNAL_API_KEY: '' });
  const answers = [];
  for (const { app } of [server, given, generated]) {
    const { keyIn } = (await app.inject(SESSION)).json();
    const { development } = (await app.inject('/api/status')).json();
    answers.push([keyIn, development]);
  }
  expect(answers).toEqual([
    [undefined, undefined],
    ['the environment', 'here'],
    ['.data/secrets.json', 'here'],
  ]);
});

describe('signing in', () => {
  it('exchanges a key for a cookie that admits to operators’ routes', async () => {
    const before = await server.app.inject(SESSION);
    expect(before.json()).toEqual({ signedIn: false, expiresAt: null });
    const answer = await signIn(server, { key: KEY });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['set-cookie']).toMatch(
      /^operator=[\w.-]+; Path=\/api; Max-Age=3600; HttpOnly; SameSite=Strict$/,
    );
    expect(answer.body + answer.headers['set-cookie']).not.toContain(KEY);
    const { signedIn, expiresAt } = answer.json();
    expect(signedIn).toBe(true);
    expect(Math.abs(Date.parse(expiresAt) - Date.now() - 60 * MINUTE)).toBeLessThan(MINUTE);
    const cookie = cookieOf(answer);
    expect(await ask(server, cookie)).toBe(200);
    expect((await server.app.inject({ url: SESSION, headers: { cookie } })).json()).toEqual(answer.json());
  });

  it('is Secure over TLS, as a trusted proxy tells it, and its cookie holds there alone', async () => {
    const tls = { 'x-forwarded-proto': 'https' };
    const answer = await signIn(server, { key: KEY }, { ...from(), ...tls });
    expect(answer.headers['set-cookie']).toMatch(
      /^__Secure-operator=[\w.-]+; Path=\/api; Max-Age=3600; HttpOnly; SameSite=Strict; Secure$/,
    );
    const cookie = cookieOf(answer);
    expect(await ask(server, cookie, tls)).toBe(200);
    expect(await ask(server, cookie.replace('__Secure-', ''), tls)).toBe(401);
    expect(await ask(server, cookie)).toBe(401);
  });

  it('finds the cookie among others, also where another host has set more of its name', async () => {
    const cookie = cookieOf(await signIn(server, { key: KEY }));
    expect(await ask(server, `a=1; operator=nonsense; ${cookie}; xoperator=2`)).toBe(200);
    expect(await ask(server, `x${cookie}`)).toBe(401);
    expect(await ask(server, 'operator=; operator; ;=')).toBe(401);
  });

  it('says what is wrong, and refuses to check after ten failures', async () => {
    const client = from();
    for (let n = 0; n < 10; n++) {
      const answer = await signIn(server, { key: OTHER_KEY }, client);
      expect([answer.statusCode, answer.json().detail]).toEqual([
        401,
        'This key is not one of those in INTERNAL_API_KEY.',
      ]);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
    expect((await signIn(server, { key: KEY }, client)).statusCode).toBe(429);
    const withKey = { 'x-api-key': OTHER_KEY, ...client };
    expect((await server.app.inject({ url: CLOSED, headers: withKey })).statusCode).toBe(429);
    expect((await signIn(server, { key: KEY })).statusCode).toBe(200);
    expect(JSON.stringify(server.lines)).not.toContain(OTHER_KEY);
    const warned = server.lines.filter(({ client: of }) => of === client['x-forwarded-for']);
    expect(warned.map(({ level }) => level)).toEqual([40]);
  });

  it.each([{}, { key: KEY, token: 'both' }, { key: '' }, { other: KEY }])('refuses %j', async (payload) => {
    expect((await signIn(server, payload)).statusCode).toBe(400);
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ SESSION_SECRET: '' }, /^Set SESSION_SECRET, then restart/],
    [{ INTERNAL_API_KEY: '' }, /^Set INTERNAL_API_KEY, then restart/],
    [{ INTERNAL_API_KEY: '', SESSION_SECRET: '' }, /^Set INTERNAL_API_KEY and SESSION_SECRET, then restart/],
  ])('is closed with %j, and says what to set', async (env, words) => {
    await using closed = await make(env);
    expect((await closed.app.inject(SESSION)).json()).toEqual({
      signedIn: false,
      expiresAt: null,
      closed: expect.stringMatching(words),
    });
    const answer = await signIn(closed, { key: KEY });
    expect([answer.statusCode, answer.json().detail]).toEqual([503, expect.stringMatching(words)]);
    expect(await ask(closed, cookieOf(await signIn(server, { key: KEY })))).toBe(401);
  });
});

describe('a session', () => {
  it('ends after an hour, and is renewed by use', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const start = Date.now();
    const cookie = cookieOf(await signIn(server, { key: KEY }));
    const use = async (minutes: number, with_: string) => {
      vi.setSystemTime(start + minutes * MINUTE);
      return server.app.inject({ url: CLOSED, headers: { cookie: with_ } });
    };
    expect((await use(9, cookie)).headers['set-cookie']).toBeUndefined();
    const renewed = await use(50, cookie);
    expect(renewed.headers['set-cookie']).toMatch(/^operator=.*; Max-Age=3600; HttpOnly/);
    expect((await use(60, cookie)).statusCode).toBe(401);
    expect((await use(109, cookieOf(renewed))).statusCode).toBe(200);
    expect((await use(110, cookieOf(renewed))).statusCode).toBe(401);
  });

  it('ends when its key is removed, and survives a restart and the rotation of secrets', async () => {
    await using before = await make({ INTERNAL_API_KEY: `${OTHER_KEY},${KEY}` });
    const [one, other] = await Promise.all(
      [KEY, OTHER_KEY].map(async (key) => cookieOf(await signIn(before, { key }))),
    );
    expect([await ask(server, one as string), await ask(server, other as string)]).toEqual([200, 401]);
    await using rotated = await make({ SESSION_SECRET: `Wq7LmXz3RtYb9KpVn1CsHd5GfJa8UeoI,${SECRET}` });
    expect(await ask(rotated, one as string)).toBe(200);
  });

  it('that has expired does not prevent a new sign-in', async () => {
    const client = from();
    for (let n = 0; n < 20; n++) expect(await ask(server, 'operator=old.old.old', client)).toBe(401);
    expect((await signIn(server, { key: KEY }, client)).statusCode).toBe(200);
  });

  it('is ignored where a key is sent as well', async () => {
    const cookie = cookieOf(await signIn(server, { key: KEY }));
    expect(await ask(server, cookie, { 'x-api-key': OTHER_KEY, ...from() })).toBe(401);
  });

  it('has the limit of operators', async () => {
    await using strict = await make({ RATE_LIMIT_MAX: '3' });
    const cookie = cookieOf(await signIn(strict, { key: KEY }));
    const client = from();
    const answers = [];
    for (let n = 0; n < 10; n++) answers.push(await ask(strict, cookie, client));
    expect(new Set(answers)).toEqual(new Set([200]));
    const answer = await strict.app.inject({ url: CLOSED, headers: { cookie, ...client } });
    expect(answer.headers.ratelimit).toMatch(/^"operators";/);
  });

  it('is of no use to a page of another site', async () => {
    const cookie = cookieOf(await signIn(server, { key: KEY }));
    const put = (headers: Record<string, string>) =>
      server.app.inject({
        method: 'PUT',
        url: CLOSED,
        headers: { cookie, ...headers },
      });
    for (const site of ['cross-site', 'same-site']) {
      const refused = await put({ 'sec-fetch-site': site, origin: 'https://evil.example' });
      expect([refused.statusCode, refused.json().type]).toEqual([403, '/problems/cross-site']);
    }
    expect((await put({ 'sec-fetch-site': 'same-origin' })).statusCode).toBe(200);
    const out = await server.app.inject({
      method: 'DELETE',
      url: SESSION,
      headers: { cookie, 'sec-fetch-site': 'cross-site' },
    });
    expect(out.statusCode).toBe(403);
  });

  it('ends with signing out, in every copy and renewal of it, and alone', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const cookie = cookieOf(await signIn(server, { key: KEY }));
    const atTheSameTime = cookieOf(await signIn(server, { key: KEY }));
    vi.setSystemTime(Date.now() + 20 * MINUTE);
    const renewed = cookieOf(await server.app.inject({ url: CLOSED, headers: { cookie } }));
    expect(renewed).toMatch(/^operator=./);
    await server.app.inject({ method: 'DELETE', url: SESSION, headers: { cookie } });
    expect([await ask(server, cookie), await ask(server, renewed)]).toEqual([401, 401]);
    expect((await server.app.inject({ url: SESSION, headers: { cookie: renewed } })).json().signedIn).toBe(
      false,
    );
    expect(await ask(server, atTheSameTime)).toBe(200);
  });

  it('ends in the browser that signs out', async () => {
    const cookie = cookieOf(await signIn(server, { key: KEY }));
    const answer = await server.app.inject({ method: 'DELETE', url: SESSION, headers: { cookie } });
    expect(answer.statusCode).toBe(204);
    expect(answer.headers['set-cookie']).toBe('operator=; Path=/api; Max-Age=0; HttpOnly; SameSite=Strict');
  });
});

describe('signing in over plain HTTP', () => {
  const at = (host: string, more: Record<string, string> = {}) => ({ host, ...from(), ...more });
  const OVER_HTTP = /HTTPS.*TRUST_PROXY.*ALLOW_HTTP_SIGN_IN/;

  it('is refused in production before a key is sent, with what to set', async () => {
    const shown = await server.app.inject({ url: SESSION, headers: { host: 'app.example.com' } });
    expect(shown.json().closed).toMatch(OVER_HTTP);
    for (const host of ['app.example.com', '192.0.2.1:5000', 'localhost.example.com', '[2001:db8::1]']) {
      const answer = await signIn(server, { key: KEY }, at(host));
      expect([answer.statusCode, answer.json().type]).toEqual([403, '/problems/forbidden']);
      expect(answer.json().detail).toMatch(OVER_HTTP);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
  });

  it('counts as no wrong key', async () => {
    const client = at('app.example.com');
    for (let n = 0; n < 12; n++) expect((await signIn(server, { key: KEY }, client)).statusCode).toBe(403);
    const tls = { ...client, 'x-forwarded-proto': 'https' };
    expect((await signIn(server, { key: KEY }, tls)).statusCode).toBe(200);
  });

  it.each(['localhost', 'LOCALHOST:5000', 'app.localhost', '127.0.0.1:5000', '127.1.2.3', '[::1]:5000'])(
    'is not over a network at %s',
    async (host) => {
      expect((await signIn(server, { key: KEY }, at(host))).statusCode).toBe(200);
    },
  );

  it('is over TLS where a trusted proxy says so, and only a trusted one', async () => {
    const tls = { 'x-forwarded-proto': 'https' };
    expect((await signIn(server, { key: KEY }, at('app.example.com', tls))).statusCode).toBe(200);
    await using trusting = await make({ TRUST_PROXY: '' });
    expect((await signIn(trusting, { key: KEY }, at('app.example.com', tls))).statusCode).toBe(403);
  });

  it.each<[string, Record<string, string>]>([
    ['where it is allowed', { ALLOW_HTTP_SIGN_IN: 'true' }],
    ['in development', { NODE_ENV: 'development', ALLOWED_HOSTS: 'app.example.com' }],
  ])('is possible %s', async (_, env) => {
    await using open = await make(env);
    expect((await signIn(open, { key: KEY }, at('app.example.com'))).statusCode).toBe(200);
  });
});

describe('the token of a start', () => {
  it('signs in once', async () => {
    const token = new SignInToken();
    await using local = await make({}, token);
    expect((await signIn(local, { token: 'x'.repeat(43) })).statusCode).toBe(401);
    const answer = await signIn(local, { token: token.value });
    expect(answer.statusCode).toBe(200);
    expect(await ask(local, cookieOf(answer))).toBe(200);
    const again = await signIn(local, { token: token.value });
    expect([again.statusCode, again.json().detail]).toEqual([
      401,
      expect.stringMatching(/^This link has been used/),
    ]);
    expect(JSON.stringify(local.lines)).not.toContain(token.value);
  });

  it('does not exist without a terminal', async () => {
    expect((await signIn(server, { token: new SignInToken().value })).statusCode).toBe(401);
  });
});

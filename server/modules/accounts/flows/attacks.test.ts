import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  accountScene,
  type Browser,
  PASSWORD,
  type Scene,
  SECRET,
  signedIn,
} from '../../../../tests/support/accounts.ts';
import { query } from '../../../../tests/support/postgres.ts';
import { hashToken, readSigned, signed } from './cookies.ts';
import { hashFirst, hashPassword, verifyPassword } from './passwords.ts';
import { ownAddress } from './provider-routes.ts';

const NAME = '__Host-account.session_token';

let scene: Scene;
beforeAll(async () => {
  scene = await accountScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const medianOf = (all: number[]) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] as number;

it('tells by no time whether an address is known', async () => {
  await signedIn(scene, 'known@example.com');
  const took = async (act: () => Promise<unknown>) => {
    const begun = performance.now();
    await act();
    return performance.now() - begun;
  };
  const asks = {
    signIn: (email: string) => scene.browser().post('/sign-in', { email, password: 'wrong, all four words' }),
    signUp: (email: string) => scene.browser().post('/sign-up', { name: 'Eve', email, password: PASSWORD }),
    reset: (email: string) => scene.browser().post('/reset/send', { email }),
  };
  for (const [name, ask] of Object.entries(asks)) {
    const known: number[] = [];
    const unknown: number[] = [];
    // At the same time, so that a busy machine slows both.
    for (let n = 0; n < 7; n++)
      await Promise.all([
        took(() => ask('known@example.com')).then((ms) => known.push(ms)),
        took(() => ask(`unknown-${name}-${n}@example.com`)).then((ms) => unknown.push(ms)),
      ]);
    const ratio = medianOf(known) / medianOf(unknown);
    expect(ratio, `${name}: ${medianOf(known)} against ${medianOf(unknown)} ms`).toBeGreaterThan(0.5);
    expect(ratio, `${name}: ${medianOf(known)} against ${medianOf(unknown)} ms`).toBeLessThan(2);
  }
});

describe('a session', () => {
  it('is never one whose cookie the browser brought along', async () => {
    const email = 'fixed@example.com';
    await signedIn(scene, email);
    const browser = scene.browser();
    const planted = signed('A'.repeat(32), SECRET);
    browser.cookies.set(NAME, planted);
    await browser.post('/sign-in', { email, password: PASSWORD });
    expect(browser.cookies.get(NAME)).not.toBe(planted);
    const { rows } = await query(scene.database.url, 'select 1 from sessions where token = $1', [
      hashToken('A'.repeat(32)),
    ]);
    expect(rows).toEqual([]);
  });

  it("ends when its browser signs in anew, be it as another user, and is not the other's", async () => {
    await signedIn(scene, 'one@example.com');
    const browser = await signedIn(scene, 'two@example.com');
    const old = browser.cookies.get(NAME) as string;
    await browser.post('/sign-in', { email: 'one@example.com', password: PASSWORD });
    expect(await browser.me()).toMatchObject({ user: { email: 'one@example.com' } });
    browser.cookies.set(NAME, old);
    expect(await browser.me()).toMatchObject({ user: null });
  });

  it('is read behind cookies of the same name that another host has set, and from no other form of it', () => {
    const right = signed('token', SECRET);
    expect(readSigned(`a=b; ${NAME}=x.y; ${NAME}=${right}`, NAME, [SECRET])).toBe('token');
    for (const wrong of [`x${NAME}=${right}`, `${NAME}=token`, `${NAME}=token.`, `${NAME}=${right}x%`, NAME])
      expect(readSigned(wrong, NAME, [SECRET])).toBeUndefined();
    expect(readSigned(`${NAME}=${signed('token', 'another')}`, NAME, [SECRET])).toBeUndefined();
  });

  it('lasts until the browser closes, and a day at most, where it is not to be remembered', async () => {
    const email = 'public@example.com';
    await signedIn(scene, email);
    const browser = scene.browser();
    const { cookies } = await browser.post('/sign-in', { email, password: PASSWORD, remember: false });
    expect(cookies.find((one) => one.startsWith(NAME))).not.toContain('Max-Age');
    const { rows } = await query(
      scene.database.url,
      `select extract(epoch from max(expires_at) - now())::int as seconds from sessions`,
    );
    expect(browser.cookies.get(NAME)).toBeDefined();
    expect(rows[0].seconds).toBeGreaterThan(86_400);
    const own = await query(
      scene.database.url,
      `select 1 from sessions join users on users.id = user_id where email = $1 and expires_at < now() + interval '25 hours'`,
      [email],
    );
    expect(own.rows).toHaveLength(1);
  });
});

describe('guessing', () => {
  it('ends for an account after 20 failures, and does not lock its owner out', async () => {
    const email = 'target@example.com';
    const owner = await signedIn(scene, email);
    await owner.post('/sign-out');
    // From many addresses, some at once.
    const statuses: number[] = [];
    for (let round = 0; round < 6; round++) {
      const guess = () => scene.browser().post('/sign-in', { email, password: 'a guess of four words' });
      const answers = await Promise.all([guess(), guess(), guess(), guess()]);
      statuses.push(...answers.map(({ status }) => status));
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(20);
    expect(statuses.filter((status) => status === 429)).toHaveLength(4);
    // The right password helps no stranger.
    expect((await scene.browser().post('/sign-in', { email, password: PASSWORD })).status).toBe(429);
    expect((await owner.post('/sign-in', { email, password: PASSWORD })).status).toBe(200);
    // An address without an account is refused alike.
    const nobody = () => scene.browser().post('/sign-in', { email: 'no@example.com', password: 'x' });
    await Promise.all(Array.from({ length: 20 }, nobody));
    expect((await nobody()).status).toBe(429);
  });

  it('counts failures of signing in and of signing in once more together', async () => {
    const email = 'twice@example.com';
    const stolen = await signedIn(scene, email);
    for (const name of stolen.cookies.keys()) if (name.endsWith('.device')) stolen.cookies.delete(name);
    const wrong = { password: 'a guess of four words' };
    for (let round = 0; round < 10; round++) {
      expect((await stolen.post('/reauthenticate', wrong)).status).toBe(401);
      expect((await scene.browser().post('/sign-in', { email, ...wrong })).status).toBe(401);
    }
    expect((await scene.browser().post('/sign-in', { email, ...wrong })).status).toBe(429);
    expect((await scene.browser().post('/sign-in', { email, password: PASSWORD })).status).toBe(429);
  });

  it('ends for an address after ten failures', async () => {
    const browser = scene.browser({ remoteAddress: '192.0.2.7' });
    const statuses = [];
    for (let n = 0; n < 12; n++)
      statuses.push(
        (await browser.post('/sign-in', { email: `many${n}@example.com`, password: 'x' })).status,
      );
    expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
  });
});

describe('hashes of passwords', () => {
  it('wait in a line that ends, so that a flood leaves room for other work', async () => {
    const all = await Promise.allSettled(Array.from({ length: 80 }, () => verifyPassword('x', 'a:b')));
    const refused = all.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(50);
    expect(refused[0]).toMatchObject({ reason: { kind: 'unavailable', headers: { 'retry-after': '1' } } });
    expect(await verifyPassword('x', await hashPassword('x'))).toBe(true);
  });

  it('are done first for a browser that has signed in before, though not for all that one account asks', async () => {
    const owner = await signedIn(scene, 'flooded@example.com');
    const attacker = await signedIn(scene, 'attacker@example.com');
    await attacker.post('/sign-out');
    const signIn = (browser: Browser, email: string) =>
      browser.post('/sign-in', { email, password: PASSWORD });
    // Two hashes run and 25 wait, until the requests are answered: each that ends is replaced at once.
    let flooded = true;
    const flood = Array.from({ length: 27 }, async () => {
      while (flooded)
        await verifyPassword('x', 'scrypt$16384$8$5$AAAA$AAAA').catch(() => new Promise(setImmediate));
    });
    const own = Array.from({ length: 15 }, () => signIn(attacker, 'attacker@example.com'));
    const [known, stranger] = await Promise.all([
      signIn(owner, 'flooded@example.com'),
      signIn(scene.browser(), 'flooded@example.com'),
    ]);
    const refused = (await Promise.all(own)).filter(({ status }) => status === 503);
    flooded = false;
    await Promise.all(flood);
    expect(known.status).toBe(200);
    expect(stranger.status).toBe(503);
    expect(refused.length).toBeGreaterThan(5);
  });

  it('of unknown clients are done, too, while many accounts ask without a pause', async () => {
    const quick = 'scrypt$1024$8$1$AAAA$AAAA';
    let done = 0;
    const ask = async (_: unknown, n: number) => {
      for (; done < 100; done++) await hashFirst(`account ${n}`, () => verifyPassword('x', quick));
    };
    const accounts = Array.from({ length: 20 }, ask);
    await verifyPassword('x', quick);
    expect(done).toBeLessThan(20);
    await Promise.all(accounts);
  });

  it('are salted, bind every character, and normalise accents', async () => {
    const [one, other] = [await hashPassword('pässword of words'), await hashPassword('pässword of words')];
    expect(one).not.toBe(other);
    expect(await verifyPassword('pa\u0308ssword of words', one)).toBe(true);
    expect(await verifyPassword('passwort of words', one)).toBe(false);
    for (const broken of ['', ':', 'x', 'scrypt$1$1$1$a$', 'scrypt$16384$8$5$AAAA$AAAA'])
      expect(await verifyPassword('x', broken)).toBe(false);
  });
});

it.each([
  ['/notes/5?a=b#c', 'https://app.test/notes/5?a=b#c'],
  [undefined, 'https://app.test/'],
  ['//evil.example', 'https://app.test/'],
  ['/\\evil.example', 'https://app.test/'],
  ['https://evil.example/', 'https://app.test/'],
  ['https://app.test.evil.example/', 'https://app.test/'],
  ['https://app.test@evil.example/', 'https://app.test/'],
  ['javascript:alert(1)', 'https://app.test/'],
  ['\t//evil.example', 'https://app.test/'],
  ['http://app.test/', 'https://app.test/'],
])('sends a browser on to %s as %s', (given, sent) => {
  expect(ownAddress('https://app.test', given)).toBe(sent);
});

describe('secrets', () => {
  it('are rotated: sessions and half sign-ins of the old one go on', async () => {
    const email = 'rotate@example.com';
    const old = await accountScene({}, { database: scene.database });
    await using closing = old;
    const browser = await signedIn(old, email);
    const next = 'Yd2kQ8sVb5Lm0Zc7Xw4Rt9Pn3Hf6Gj1AuEoIqTzKxMe';
    await using rotated = await accountScene(
      { SESSION_SECRET: `${next},${SECRET}` },
      { database: closing.database },
    );
    const moved = rotated.browser();
    for (const [name, value] of browser.cookies) moved.cookies.set(name, value);
    expect(await moved.me()).toMatchObject({ user: { email } });
    // better-auth reads it, too.
    expect((await moved.post('/two-factor')).status).toBe(200);
    expect((await moved.post('/two-factor/confirm', { code: '000000' })).status).toBe(401);
    await using dropped = await accountScene({ SESSION_SECRET: next }, { database: closing.database });
    const late = dropped.browser();
    for (const [name, value] of browser.cookies) late.cookies.set(name, value);
    expect(await late.me()).toMatchObject({ user: null });
  });

  it('are named where they miss, and nothing is loaded', async () => {
    await using bare = await accountScene({ SESSION_SECRET: '', PUBLIC_URL: '' });
    const answer = await bare.browser().post('/sign-in', { email: 'a@example.com', password: 'x' });
    expect(answer).toMatchObject({
      status: 503,
      body: { detail: 'Set SESSION_SECRET and PUBLIC_URL, then restart the server.' },
    });
    expect((await bare.browser().send('GET', '/api/me')).status).toBe(200);
  });
});

it('costs a visitor without an account no query', async () => {
  await using quiet = await accountScene();
  const { pool } = quiet.server.database;
  const spies = [vi.spyOn(pool, 'query'), vi.spyOn(pool, 'connect')];
  for (const cookie of ['', 'a=b', `${NAME}=x.y`]) {
    const answer = await quiet.server.app.inject({ url: '/api/me', headers: { cookie } });
    expect(answer.json()).toMatchObject({ user: null, offers: { signUp: 'open', twoFactor: true } });
  }
  for (const spy of spies) expect(spy).not.toHaveBeenCalled();
});

it('mounts no path of better-auth but the callback of providers that are set', async () => {
  for (const path of [
    '/ok',
    '/get-session',
    '/sign-in/email',
    '/sign-up/email',
    '/callback/google',
    '/error',
  ])
    for (const method of ['GET', 'POST'] as const)
      expect((await scene.browser().send(method, `/api/auth${path}`)).status).toBeGreaterThanOrEqual(404);
});

import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  accountScene,
  type Browser,
  ENCRYPTION_KEY,
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

/**
 * RFC 6238, as an authenticator app computes it. The server takes that of one step before as well: one that is asked for here and
 * sent a moment later may be.
 *
 * @param steps Of 30 s, from now.
 */
function codeOf(base32: string, steps = 0): string {
  const bits = [...base32].map((one) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(one).toString(2).padStart(5, '0'),
  );
  const bytes = bits.join('').match(/.{8}/g) ?? [];
  const key = Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac('sha1', key).update(counter).digest();
  const at = (digest.at(-1) as number) & 15;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

async function withTwoFactor(email: string): Promise<{ browser: Browser; secret: string; codes: string[] }> {
  const browser = await signedIn(scene, email);
  const begun = await browser.post('/two-factor');
  expect(begun.status).toBe(200);
  const { uri, secret } = begun.body as never as { uri: string; secret: string };
  expect(new URL(uri).searchParams.get('secret')).toBe(secret);
  expect((await browser.post('/two-factor/confirm', { code: '000000' })).status).toBe(401);
  const confirmed = await browser.post('/two-factor/confirm', { code: codeOf(secret) });
  expect(confirmed).toMatchObject({ status: 200 });
  return { browser, secret, codes: (confirmed.body as never as { recoveryCodes: string[] }).recoveryCodes };
}

const second = async (email: string) => {
  const browser = scene.browser();
  expect(await browser.post('/sign-in', { email, password: PASSWORD })).toMatchObject({
    status: 200,
    body: { next: 'two-factor' },
  });
  expect((await browser.send('GET', '/api/account')).status).toBe(401);
  return browser;
};

it('asks for a code, which works once', async () => {
  const email = 'code@example.com';
  const { browser, secret } = await withTwoFactor(email);
  expect((await browser.send('GET', '/api/account')).body).toMatchObject({ twoFactor: true });
  const code = codeOf(secret, 1);
  const [one, other] = [await second(email), await second(email)];
  expect((await one.post('/sign-in/code', { code: '123' })).status).toBe(400);
  expect(await one.post('/sign-in/code', { code })).toMatchObject({ status: 200, body: { next: 'done' } });
  expect((await one.send('GET', '/api/account')).status).toBe(200);
  // A code that was read over the user's shoulder.
  expect((await other.post('/sign-in/code', { code })).status).toBe(401);
  expect((await other.send('GET', '/api/account')).status).toBe(401);
});

it('takes a recovery code once, also where two send it at the same time', async () => {
  const email = 'recovery@example.com';
  const { codes } = await withTwoFactor(email);
  expect(codes).toHaveLength(10);
  const [code] = codes as [string];
  const { rows } = await query(scene.database.url, 'select backup_codes, secret from two_factors');
  expect(JSON.stringify(rows)).not.toContain(code);
  const browsers = await Promise.all(Array.from({ length: 4 }, () => second(email)));
  const answers = await Promise.all(
    browsers.map((browser) =>
      browser.post('/sign-in/code', { code: code.toUpperCase().replaceAll('-', ' '), recovery: true }),
    ),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(answers.map(({ status }) => status).filter((status) => status >= 500)).toEqual([]);
  const later = await second(email);
  expect((await later.post('/sign-in/code', { code, recovery: true })).status).toBe(401);
});

it('ends a sign-in after five wrong codes', async () => {
  const email = 'guess@example.com';
  const { secret } = await withTwoFactor(email);
  const browser = await second(email);
  for (let n = 0; n < 5; n++)
    expect((await browser.post('/sign-in/code', { code: '000000' })).status).toBe(401);
  expect((await browser.post('/sign-in/code', { code: codeOf(secret, 1) })).status).toBe(401);
  expect((await browser.send('GET', '/api/account')).status).toBe(401);
});

it('is turned off with a mail to the owner, and renews codes', async () => {
  const email = 'off@example.com';
  const { browser, codes } = await withTwoFactor(email);
  const renewed = await browser.post('/two-factor/recovery-codes');
  expect((renewed.body as never as { recoveryCodes: string[] }).recoveryCodes).not.toContain(codes[0]);
  expect((await (await second(email)).post('/sign-in/code', { code: codes[0], recovery: true })).status).toBe(
    401,
  );
  expect((await browser.send('DELETE', '/api/account/two-factor')).status).toBe(204);
  expect((await browser.send('GET', '/api/account')).status).toBe(200);
  expect(scene.mailbox.at(-1)).toMatchObject({ to: email, template: 'two-factor-off' });
  expect(await scene.browser().post('/sign-in', { email, password: PASSWORD })).toMatchObject({
    body: { next: 'done' },
  });
});

it('outlives a rotation of both secrets', async () => {
  const email = 'rotated@example.com';
  const { secret, codes } = await withTwoFactor(email);
  const { rows } = await query(scene.database.url, 'select secret from two_factors');
  for (const row of rows) expect(row.secret).toMatch(/^v1\./);
  await using rotated = await accountScene(
    {
      SESSION_SECRET: 'Yd2kQ8sVb5Lm0Zc7Xw4Rt9Pn3Hf6Gj1AuEoIqTzKxMe',
      ENCRYPTION_KEY: `Hs4nW9cYt2Bf7Qm1Jd6Vz3Lk8Rx5Gp0AeUoIiTzNqXw,${ENCRYPTION_KEY}`,
    },
    { database: scene.database },
  );
  for (const more of [{ code: codeOf(secret, 1) }, { code: codes[0], recovery: true }]) {
    const browser = rotated.browser();
    await browser.post('/sign-in', { email, password: PASSWORD });
    expect(await browser.post('/sign-in/code', more)).toMatchObject({ status: 200, body: { next: 'done' } });
  }
});

it('is no way to make a sign-in more recent', async () => {
  const email = 'fresh@example.com';
  const browser = await signedIn(scene, email);
  await query(
    scene.database.url,
    "update sessions set authenticated_at = now() - interval '9 minutes' from users where users.id = user_id and email = $1",
    [email],
  );
  const { secret } = (await browser.post('/two-factor')).body as never as { secret: string };
  expect((await browser.post('/two-factor/confirm', { code: codeOf(secret) })).status).toBe(200);
  const { rows } = await query(
    scene.database.url,
    `select extract(epoch from now() - authenticated_at)::int as age from sessions join users on users.id = user_id where email = $1`,
    [email],
  );
  expect(rows).toHaveLength(1);
  expect(rows[0].age).toBeGreaterThan(500);
  expect((await browser.send('GET', '/api/account')).status).toBe(200);
});

// The last one: a process has one keyring.
it('is not offered without ENCRYPTION_KEY', async () => {
  await using bare = await accountScene({ ENCRYPTION_KEY: '' });
  const browser = await signedIn(bare, 'bare@example.com');
  expect((await browser.send('GET', '/api/me')).body).toMatchObject({ offers: { twoFactor: false } });
  expect(await browser.post('/two-factor')).toMatchObject({
    status: 503,
    body: { detail: 'Set ENCRYPTION_KEY, then restart the server.' },
  });
});

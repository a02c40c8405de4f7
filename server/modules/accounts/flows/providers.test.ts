import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { accountScene, type Browser, type Scene, signedIn } from '../../../../tests/support/accounts.ts';
import { query } from '../../../../tests/support/postgres.ts';

/** A provider of OpenID Connect: discovery, keys, and a token endpoint that checks the client and PKCE's verifier. */
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
let person = { sub: 'p1', email: 'p1@example.com', email_verified: true as unknown, name: 'Pat' };
let nonce: string | null = null;
let signer = privateKey;
const provider = createServer(async (request, response) => {
  const issuer = `http://${request.headers.host}`;
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const answer = (body: object) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  if (request.url === '/.well-known/openid-configuration')
    return answer({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
      id_token_signing_alg_values_supported: ['RS256'],
    });
  if (request.url === '/keys')
    return answer({ keys: [{ ...publicKey.export({ format: 'jwk' }), alg: 'RS256', kid: '1', use: 'sig' }] });
  const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
  if (form.get('code') !== 'right' || !form.get('code_verifier')) return response.writeHead(400).end('{}');
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iss: issuer, aud: 'client', iat: now, exp: now + 60, ...(nonce && { nonce }), ...person };
  const signing = `${part({ alg: 'RS256', kid: '1' })}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(signing), signer).toString('base64url');
  answer({ access_token: 'provider-token', token_type: 'Bearer', id_token: `${signing}.${signature}` });
});

let env: Record<string, string>;
let scene: Scene;
beforeAll(async () => {
  provider.listen(0, '127.0.0.1');
  await once(provider, 'listening');
  const { port } = provider.address() as AddressInfo;
  env = {
    OIDC_ISSUER: `http://127.0.0.1:${port}`,
    OIDC_CLIENT_ID: 'client',
    OIDC_CLIENT_SECRET: 'secret',
    OIDC_NAME: 'The company',
  };
  scene = await accountScene(env);
});
afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  provider.close();
});
beforeEach(() => {
  signer = privateKey;
});

async function begin(browser: Browser, returnTo?: string): Promise<URL> {
  const { status, body } = await browser.post('/sign-in/provider', { provider: 'oidc', returnTo });
  expect(status, JSON.stringify(body)).toBe(200);
  const url = new URL((body as never as { url: string }).url);
  nonce = url.searchParams.get('nonce');
  return url;
}

/** @returns Where the browser is sent. */
async function comeBack(browser: Browser, url: URL, code = 'right', own: Scene = scene): Promise<string> {
  const query = new URLSearchParams({ code, state: url.searchParams.get('state') as string });
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const answer = await own.server.app.inject({
    url: `/api/auth/callback/oidc?${query}`,
    headers: { cookie },
  });
  for (const one of [answer.headers['set-cookie'] ?? []].flat()) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(one) ?? [];
    browser.cookies.set(name, value);
  }
  expect(answer.statusCode, answer.body).toBe(302);
  return answer.headers.location as string;
}

const rows = async (text: string, values?: unknown[]) => (await query(scene.database.url, text, values)).rows;

it('makes an account of a verified address, keeps no token of the provider, and signs in again', async () => {
  person = { sub: 'new', email: 'New@example.com', email_verified: true, name: 'New' };
  const browser = scene.browser();
  const url = await begin(browser, '/notes?page=2');
  expect(url.searchParams.get('redirect_uri')).toBe('https://app.test/api/auth/callback/oidc');
  expect(url.searchParams.get('code_challenge_method')).toBe('S256');
  expect(await comeBack(browser, url)).toBe('https://app.test/notes?page=2');
  expect(await browser.me()).toMatchObject({
    user: { email: 'new@example.com', emailVerified: true },
    offers: { providers: [{ id: 'oidc', name: 'The company' }] },
  });
  expect(await rows('select access_token, refresh_token, id_token from credentials')).toEqual([
    { access_token: null, refresh_token: null, id_token: null },
  ]);
  const again = scene.browser();
  expect(await comeBack(again, await begin(again))).toBe('https://app.test/');
  expect(await again.me()).toMatchObject({ user: { email: 'new@example.com' } });
  expect(await rows('select access_token from credentials')).toEqual([{ access_token: null }]);
});

it('links only where both have verified the address', async () => {
  await signedIn(scene, 'both@example.com');
  await scene
    .browser()
    .post('/sign-up', { name: 'Eve', email: 'mine@example.com', password: 'four words in a row' });
  const attempt = async (sub: string, email: string, verified: unknown) => {
    person = { sub, email, email_verified: verified, name: 'Pat' };
    const browser = scene.browser();
    const to = await comeBack(browser, await begin(browser));
    return { to, user: (await browser.me()).user?.email };
  };
  expect(await attempt('b1', 'both@example.com', false)).toMatchObject({
    to: expect.stringMatching(/^https:\/\/app\.test\/sign-in\?error=/),
    user: undefined,
  });
  expect((await attempt('b1', 'both@example.com', 'false')).user).toBeUndefined();
  expect((await attempt('m1', 'mine@example.com', true)).user).toBeUndefined();
  expect((await attempt('u1', 'unproved@example.com', false)).user).toBeUndefined();
  expect(await rows(`select 1 from users where email = 'unproved@example.com'`)).toEqual([]);
  expect((await attempt('b2', 'both@example.com', true)).user).toBe('both@example.com');
});

it('takes no answer that is replayed, another browser began, or another key signed', async () => {
  person = { sub: 'safe', email: 'safe@example.com', email_verified: true, name: 'Safe' };
  const browser = scene.browser();
  const url = await begin(browser);
  const other = scene.browser();
  expect(await comeBack(other, url)).toContain('/sign-in?error=');
  expect((await other.me()).user).toBeNull();
  expect(await comeBack(browser, await begin(browser), 'wrong')).toContain('error=');
  nonce = 'another';
  const second = await begin(browser);
  nonce = 'another';
  if (second.searchParams.has('nonce')) expect(await comeBack(browser, second)).toContain('error=');
  signer = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  expect(await comeBack(browser, await begin(browser))).toContain('error=');
  expect((await browser.me()).user).toBeNull();
  signer = privateKey;
  const good = await begin(browser);
  await comeBack(browser, good);
  expect((await browser.me()).user).not.toBeNull();
  const thief = scene.browser();
  expect(await comeBack(thief, good)).toContain('error=');
  expect((await thief.me()).user).toBeNull();
});

it('asks a person with a second factor for the password', async () => {
  person = { sub: 'two', email: 'two@example.com', email_verified: true, name: 'Two' };
  const browser = scene.browser();
  await comeBack(browser, await begin(browser));
  await rows(`update users set two_factor_enabled = true where email = 'two@example.com'`);
  const again = scene.browser();
  expect(await comeBack(again, await begin(again))).toContain('error=TWO_FACTOR_NEEDED');
  expect((await again.me()).user).toBeNull();
});

it('makes no account where one is made by invitation, and none that onSignUp refuses', async () => {
  person = { sub: 'closed', email: 'closed@example.com', email_verified: true, name: 'Closed' };
  const refusing = async () => {
    throw new Error('not today');
  };
  for (const [more, people] of [
    [{ SIGN_UP: 'invitation' }, {}],
    [{}, { onSignUp: refusing }],
  ] as const) {
    await using own = await accountScene({ ...env, ...more }, { people });
    const browser = own.browser();
    const url = await begin(browser);
    const answer = await own.server.app.inject({
      url: `/api/auth/callback/oidc?code=right&state=${url.searchParams.get('state')}`,
      headers: { cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    expect(answer.headers['set-cookie'] ?? '').not.toContain('session_token=ey');
    expect((await query(own.database.url, 'select 1 from users')).rows).toEqual([]);
    expect((await query(own.database.url, 'select 1 from sessions')).rows).toEqual([]);
  }
});

it('makes an account by invitation with the one connection that it has', async () => {
  person = { sub: 'invited', email: 'invited@example.com', email_verified: true, name: 'Invited' };
  await using own = await accountScene({ ...env, SIGN_UP: 'invitation', DB_POOL_SIZE: '1' });
  await query(
    own.database.url,
    `insert into invitations (id, email, hash, expires_at) values
      ('one', 'invited@example.com', 'x', now() + interval '1 hour')`,
  );
  const browser = own.browser();
  const url = await begin(browser);
  expect(await comeBack(browser, url, 'right', own)).toBe('https://app.test/');
  expect(await browser.me()).toMatchObject({ user: { email: 'invited@example.com' } });
});

it('calls onSignUp in the transaction that makes the account, so that neither is there without the other', async () => {
  person = { sub: 'welcome', email: 'welcome@example.com', email_verified: true, name: 'Welcome' };
  const seen: unknown[] = [];
  await using own = await accountScene(env, {
    people: {
      async onSignUp(tx, { email }) {
        const within = await tx.execute(sql`select 1 from users where email = ${email}`);
        const outside = await query(own.database.url, 'select 1 from users');
        seen.push([email, within.rowCount, outside.rowCount]);
      },
    },
  });
  const browser = own.browser();
  await comeBack(browser, await begin(browser), 'right', own);
  expect(seen).toEqual([['welcome@example.com', 1, 0]]);
  expect(await browser.me()).toMatchObject({ user: { email: 'welcome@example.com' } });
});

it('says so where the provider does not answer, and signs in by password meanwhile', async () => {
  await using own = await accountScene({ ...env, OIDC_ISSUER: 'http://127.0.0.1:9' });
  const browser = own.browser();
  for (const _ of ['first', 'second'])
    expect((await browser.post('/sign-in/provider', { provider: 'oidc' })).status).toBe(503);
  expect((await browser.post('/sign-in/provider', { provider: 'google' })).status).toBe(404);
  expect(await (await signedIn(own, 'word@example.com')).me()).toMatchObject({
    user: { email: 'word@example.com' },
  });
});

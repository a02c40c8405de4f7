import { createHash, createHmac } from 'node:crypto';
import type { Page } from '@playwright/test';
import { expect, look, test } from '../../../../tests/browser/fixtures.ts';
import { signIn as makeSignedIn } from '../../../../tests/browser/signed-in.ts';
import { storageOf } from '../../../../tests/browser/visitor.ts';
import { query } from '../../../../tests/support/postgres.ts';
import { freePort, type SpawnedServer } from '../../../../tests/support/server.ts';

const PASSWORD = 'four words in a row';
/** What a request is refused for is told to the console, too. */
test.use({ failedRequests: true, storageState: { cookies: [], origins: [] } });

let server: SpawnedServer;
let people = 0;

// Passkeys work on localhost, and nowhere else without TLS.
test.beforeAll(async ({ backend }) => {
  const PORT = String(await freePort());
  server = await backend.start({ PORT, PUBLIC_URL: `http://localhost:${PORT}`, SIGN_UP: 'open' });
  await server.ready();
});
test.afterAll(() => server.end());

const at = (path: string) => `http://localhost:${server.port}${path}`;
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const password = (page: Page) => page.getByLabel('Password', { exact: true });

/** Signs a new person up, which ends at `returnTo`. @returns Their address. */
async function signUp(page: Page, returnTo = '/account') {
  people += 1;
  const email = `ada-${process.pid}-${people}@example.com`;
  await page.goto(at(`/sign-up?returnTo=${encodeURIComponent(returnTo)}`));
  await page.getByLabel('Name').fill('Ada Lovelace');
  await page.getByLabel('Email').fill(email);
  await password(page).fill(PASSWORD);
  await button(page, 'Create account').click();
  await page.waitForURL(at(returnTo));
  return email;
}

async function signIn(page: Page, email: string) {
  await page.getByLabel('Email').fill(email);
  await password(page).fill(PASSWORD);
  await button(page, 'Sign in').click();
}

async function signOut(page: Page) {
  await button(page, 'Account of Ada Lovelace').click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(page.getByRole('link', { name: 'Sign in' })).toBeVisible();
}

/** RFC 6238 with SHA-1, as authenticator apps have it. @param secret In base 32. */
function totp(secret: string) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((one) => alphabet.indexOf(one).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac('sha1', key).update(counter).digest();
  const from = (hash.at(-1) ?? 0) & 15;
  return String((hash.readUInt32BE(from) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

test('an anonymous visitor is sent to sign in, and back', async ({ page }) => {
  const scripts: string[] = [];
  page.on('response', (response) => scripts.push(response.url()));
  await page.goto(at('/'));
  await expect(page.getByRole('link', { name: 'Sign in' })).toBeVisible();
  expect(scripts.filter((url) => /entry-screens|account-|question/.test(url))).toEqual([]);

  await page.getByRole('link', { name: 'Notes' }).first().click();
  await page.waitForURL(at('/sign-in?returnTo=%2Fnotes'));
  await expect(page.getByText('Sign in to continue to Notes.')).toBeVisible();
  await look(page, 'accounts-sign-in');
  await signIn(page, 'nobody@example.com');
  await expect(page.getByRole('alert')).toHaveText('The address or the password is wrong.');
  await expect(page.getByLabel('Email')).toHaveValue('nobody@example.com');
  await expect(password(page)).toHaveValue(PASSWORD);

  await page.getByRole('link', { name: 'Sign up' }).click();
  await look(page, 'accounts-sign-up', { widths: [360] });
  await page.getByLabel('Name').fill('Ada Lovelace');
  await page.getByLabel('Email').fill(`back-${process.pid}@example.com`);
  await password(page).fill('too short');
  await button(page, 'Create account').click();
  await expect(page.getByText('Enter at least 12 characters.')).toBeVisible();
  await expect(password(page)).toBeFocused();
  await password(page).fill(PASSWORD);
  await button(page, 'Create account').click();
  await page.waitForURL(at('/notes'));
  await page.getByRole('button', { name: 'Write the first note' }).click();
  await page.getByLabel('Title of the new note').fill('My first note');
  await button(page, 'Create').click();
  await expect(page.getByLabel('Title')).toHaveValue('My first note');

  await signOut(page);
  await page.goto(at('/sign-in?returnTo=https%3A%2F%2Fevil.example%2F'));
  await signIn(page, `back-${process.pid}@example.com`);
  await page.waitForURL(at('/'));
});

test('a new clone: sign up, read the mail in the mailbox, verify, write the first note', async ({
  page,
  backend,
}) => {
  // As `npm start` has it: nothing is set.
  const port = await freePort();
  await using clone = await backend.start({ PORT: String(port), NODE_ENV: 'development' });
  await clone.ready();
  const home = `http://localhost:${port}`;
  const email = `clone-${process.pid}@example.com`;
  await page.goto(`${home}/sign-up?returnTo=%2Fnotes`);
  await page.getByLabel('Name').fill('Ada Lovelace');
  await page.getByLabel('Email').fill(email);
  await password(page).fill(PASSWORD);
  await button(page, 'Create account').click();
  await look(page, 'accounts-check-your-mail', { widths: [360, 1440] });
  await page.getByRole('link', { name: 'Open the development mailbox' }).click();
  await page.getByRole('link', { name: new RegExp(`To ${email}`) }).click();
  const link = page.getByRole('link', { name: /\/verify#token=/ });
  await expect(link).toHaveAttribute('href', new RegExp(`^${home}/verify#token=`));
  await page.goto((await link.getAttribute('href')) ?? '');
  await page.getByRole('main').getByRole('button').first().click();
  await page.getByRole('main').getByRole('link', { name: 'Sign in' }).click();
  await signIn(page, email);
  await expect(button(page, 'Account of Ada Lovelace')).toBeVisible();
  await page.goto(`${home}/notes`);
  await page.getByRole('button', { name: 'Write the first note' }).click();
  await page.getByLabel('Title of the new note').fill('My first note');
  await button(page, 'Create').click();
  await expect(page.getByLabel('Title')).toHaveValue('My first note');
});

test('a second factor is set up, asked for, and replaced by a recovery code', async ({ page }) => {
  const email = await signUp(page, '/account/sign-in');
  await button(page, 'Set up an authenticator app').click();
  const secret = ((await page.locator('code').textContent()) ?? '').replaceAll(' ', '');
  await look(page, 'accounts-two-factor');
  await expect(page.getByRole('textbox', { name: 'Code' })).toBeFocused();
  await page.keyboard.type(totp(secret));
  const codes = page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem');
  await expect(codes.first()).toBeVisible();
  const recovery = (await codes.allTextContents())[0] as string;
  await look(page, 'accounts-recovery-codes', { widths: [360] });
  await button(page, 'I have saved them').click();
  await signOut(page);

  await page.goto(at('/sign-in'));
  await signIn(page, email);
  await expect(page.getByRole('textbox', { name: 'Code' })).toBeFocused();
  await page.keyboard.type('000000');
  await expect(page.getByRole('alert')).toContainText('wrong');
  await expect(page.getByRole('textbox', { name: 'Code' })).toBeFocused();
  await look(page, 'accounts-code', { widths: [360] });
  await page.getByRole('button', { name: 'Use a recovery code' }).click();
  await page.getByLabel('Recovery code').fill(recovery);
  await button(page, 'Continue').click();
  await page.waitForURL(at('/'));
});

test('a passkey is added, and signs in', async ({ page }) => {
  await signUp(page, '/account/sign-in');
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  await button(page, 'Add a passkey').click();
  await page.getByLabel('Name of the passkey').fill('Work laptop');
  await button(page, 'Continue').click();
  await expect(page.getByRole('list', { name: 'Passkeys' }).getByText('Work laptop')).toBeVisible();
  await look(page, 'accounts-sign-in-methods');
  await signOut(page);

  await page.goto(at('/sign-in?returnTo=%2Faccount%2Fsign-in'));
  await button(page, 'Sign in with a passkey').click();
  await page.waitForURL(at('/account/sign-in'));
  await button(page, 'Remove Work laptop').click();
  await button(page, 'Remove passkey').click();
  await expect(page.getByText('No passkeys yet.')).toBeVisible();
});

test('asks for the password once more over the screen, and then does what was asked for', async ({
  page,
  backend,
}) => {
  const email = await signUp(page, '/account/sign-in');
  await query(backend.databaseUrl, `UPDATE sessions SET authenticated_at = now() - interval '1 day'`);
  await page.reload();
  await button(page, 'Change password').click();
  await page.getByLabel('New password').fill('another four words here');
  await button(page, 'Set the password').click();
  const question = page.getByRole('dialog', { name: 'Confirm that it is you' });
  await expect(password(page)).toBeFocused();
  await look(page, 'accounts-recent', { widths: [360] });
  await page.keyboard.press('Escape');
  await expect(question).toHaveCount(0);
  await expect(page.getByLabel('New password')).toHaveValue('another four words here');

  await button(page, 'Set the password').click();
  await password(page).fill('wrong');
  await button(page, 'Confirm').click();
  await expect(question.getByRole('alert')).toHaveText('The password is wrong.');
  await password(page).fill(PASSWORD);
  await button(page, 'Confirm').click();
  await expect(page.getByText('Password changed.')).toBeVisible();
  await signOut(page);
  await page.goto(at('/sign-in'));
  await signIn(page, email);
  await expect(page.getByRole('alert')).toHaveText('The address or the password is wrong.');
});

test('a session that was ended elsewhere loses nothing that was typed', async ({
  page,
  browser,
  backend,
}) => {
  const email = await signUp(page, '/account');
  await page.getByLabel('Name').fill('Ada King');
  const elsewhere = await (await browser.newContext()).newPage();
  await elsewhere.goto(at('/sign-in?returnTo=%2Faccount%2Fsessions'));
  await signIn(elsewhere, email);
  await expect(elsewhere.getByText('This browser')).toBeVisible();
  await look(elsewhere, 'accounts-sessions', { widths: [360] });
  await elsewhere.getByRole('button', { name: /^End the session of/ }).click();
  await expect(elsewhere.getByRole('listitem')).toHaveCount(1);
  await elsewhere.context().close();

  await button(page, 'Save').click();
  const question = page.getByRole('dialog', { name: 'Sign in again' });
  await expect(question.getByLabel('Email')).toHaveValue(email);
  await look(page, 'accounts-session-ended', { widths: [360] });
  await password(page).fill(PASSWORD);
  await question.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByText('Saved')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Account of Ada King' })).toBeVisible();
  const { rows } = await query(backend.databaseUrl, 'SELECT name FROM users WHERE email = $1', [email]);
  expect(rows).toEqual([{ name: 'Ada King' }]);
});

test('an operator finds a user, acts as them, and bans them', async ({ browser, backend }) => {
  const grace = await makeSignedIn(backend.databaseUrl, 'Grace', { roles: ['operator'] });
  const linus = await makeSignedIn(backend.databaseUrl, 'Linus');
  const context = await browser.newContext({ storageState: storageOf(grace, 'localhost') });
  const page = await context.newPage();
  await page.goto(at('/admin/users'));
  await expect(page.getByRole('region', { name: 'Users' }).getByRole('row', { name: /Grace/ })).toBeVisible();
  await look(page, 'accounts-users');
  await page.getByRole('searchbox', { name: 'Search users' }).fill('lin');
  await page.waitForURL(/search=lin/);
  await expect(page.getByRole('link', { name: 'Grace' })).toHaveCount(0);
  await page.getByRole('link', { name: 'Linus' }).click();
  await look(page, 'accounts-user');

  await button(page, 'Act as…').click();
  await page.getByLabel('Reason').fill('Ticket 4711');
  await button(page, 'Act as Linus').click();
  await page.waitForURL(at('/'));
  await expect(page.getByText('You are acting as Linus')).toBeVisible();
  await page.goto(at('/account'));
  await expect(page.getByLabel('Name')).toHaveValue('Linus');
  await look(page, 'accounts-impersonating', { widths: [360, 1440] });
  await button(page, 'Stop acting as them').click();
  await page.waitForURL(at('/admin/users'));

  await page.goto(at(`/admin/users/${linus.id}`));
  await button(page, 'Ban').click();
  await button(page, 'Ban Linus').click();
  await expect(page.getByText('Say why, for who reads it later.')).toBeVisible();
  await page.getByLabel('Reason').fill('Sends spam');
  await button(page, 'Ban Linus').click();
  await expect(page.getByText('For good, since')).toBeVisible();
  const me = await fetch(at('/api/account'), { headers: { cookie: linus.cookie } });
  expect(me.status).toBe(401);
  await context.close();
});

/** What the link of a mail opens, without the mail. */
async function link(databaseUrl: string, purpose: 'verify' | 'reset', email: string) {
  const token = `token-of-${purpose}-${people}`;
  const hash = createHash('sha256').update(token).digest('base64url');
  await query(
    databaseUrl,
    `INSERT INTO verifications (id, identifier, value, expires_at)
     SELECT $1, $1, id || ' ' || email, now() + interval '1 hour' FROM users WHERE email = $2`,
    [`${purpose}:${hash}`, email],
  );
  return at(`/${purpose}#token=${token}`);
}

test('links of mails verify an address and set a new password, by a press, once', async ({
  page,
  backend,
  baseURL,
}) => {
  const email = await signUp(page);
  const verify = await link(backend.databaseUrl, 'verify', email);
  await page.goto(verify);
  await look(page, 'accounts-verify', { widths: [360, 1440] });
  await page.reload();
  await button(page, 'Verify my address').click();
  await page.waitForURL(at('/'));
  await page.goto(verify);
  await button(page, 'Verify my address').click();
  await expect(page.getByText('This link does not work any more')).toBeVisible();

  const reset = await link(backend.databaseUrl, 'reset', email);
  await page.goto(at('/reset'));
  await page.getByLabel('Email').fill(email);
  await button(page, 'Send the link').click();
  await expect(page.getByRole('heading', { name: 'Check your inbox' })).toBeVisible();
  await look(page, 'accounts-mailbox', { widths: [360, 1440] });
  await page.goto(reset);
  await page.getByLabel('New password').fill('quite another password');
  await button(page, 'Set the password').click();
  await expect(page.getByText('Your password is changed')).toBeVisible();
  await page.getByRole('link', { name: 'Sign in' }).last().click();
  await signIn(page, email);
  await expect(page.getByRole('alert')).toHaveText('The address or the password is wrong.');
  await password(page).fill('quite another password');
  await button(page, 'Sign in').click();
  await page.waitForURL(at('/'));

  // Where it is not configured, the screen says what to set.
  await page.goto(`${baseURL}/sign-in`);
  await expect(page.getByText('Set PUBLIC_URL, then restart the server.')).toBeVisible();
});

import { createHash, createHmac } from 'node:crypto';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, look, test } from '../../../../tests/browser/fixtures.ts';
import { signIn as makeSignedIn } from '../../../../tests/browser/signed-in.ts';
import { storageOf } from '../../../../tests/browser/visitor.ts';
import { query } from '../../../../tests/support/postgres.ts';
import { freePort, ROOT, type SpawnedServer } from '../../../../tests/support/server.ts';

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
  expect(scripts.filter((url) => /sign-(in|up)-screen|account-|question/.test(url))).toEqual([]);

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
  await expect(page.getByText('Nothing there? Send it again.')).toBeVisible();
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

test('the menu is asked for again where its file did not come', async ({ page }) => {
  await signUp(page);
  await page.route(/account-menu/, (route) => route.abort(), { times: 1 });
  await page.reload();
  await button(page, 'Account of Ada Lovelace').click();
  await expect(page.getByRole('menuitem', { name: 'Sign out' })).toBeVisible();
});

test('the menu opens by an arrow key, before it has loaded', async ({ page }) => {
  await signUp(page);
  await button(page, 'Account of Ada Lovelace').press('ArrowDown');
  await expect(page.getByRole('menuitem', { name: 'Account' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(button(page, 'Account of Ada Lovelace')).toBeFocused();
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

  // As a browser without autofill of passkeys, which waits for the button.
  await page.addInitScript(() => {
    if (location.hash !== '#button') return;
    PublicKeyCredential.isConditionalMediationAvailable = async () => false;
  });
  await page.goto(at('/sign-in?returnTo=%2Faccount%2Fsign-in#button'));
  await button(page, 'Sign in with a passkey').click();
  await page.waitForURL(at('/account/sign-in'));
  await signOut(page);

  // The browser offers it where the address is typed; this one chooses it at once.
  await page.goto(at('/sign-in?returnTo=%2Faccount%2Fsign-in'));
  await page.waitForURL(at('/account/sign-in'));
  await button(page, 'Remove Work laptop').click();
  await button(page, 'Remove passkey').click();
  await expect(page.getByText('No passkeys yet.')).toBeVisible();
});

test('autofill of passkeys asks for another challenge before the first expires, but not in a hidden tab', async ({
  page,
}) => {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      // The person chooses nothing yet.
      automaticPresenceSimulation: false,
    },
  });
  const begun = { count: 0 };
  await page.route('**/passkey/begin', (route) => {
    begun.count += 1;
    return route.continue();
  });
  const show = (state: string) =>
    page.evaluate((state) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
      document.dispatchEvent(new Event('visibilitychange'));
    }, state);
  const asked = (times: number) =>
    expect.poll(() => page.evaluate(() => (window as unknown as { asked: number }).asked)).toBe(times);
  await page.addInitScript(() => {
    const get = navigator.credentials.get.bind(navigator.credentials);
    Object.assign(window, { asked: 0 });
    navigator.credentials.get = (options) => {
      (window as unknown as { asked: number }).asked += 1;
      return get(options);
    };
  });
  await page.clock.install();
  await page.goto(at('/sign-in'));
  await asked(1);
  await page.clock.runFor('04:40');
  await asked(2);
  await show('hidden');
  await page.clock.runFor('20:00');
  expect(begun.count).toBe(2);
  await show('visible');
  await page.clock.runFor(1_000);
  await asked(3);
  expect(begun.count).toBe(3);
});

test('an authenticator app is offered where the server can keep its secret, and operators are told what is missing', async ({
  browser,
  backend,
}) => {
  for (const roles of [[], ['operator']]) {
    const visitor = await makeSignedIn(backend.databaseUrl, 'Ida', { roles });
    const context = await browser.newContext({ storageState: storageOf(visitor, 'localhost') });
    const page = await context.newPage();
    // As a server without ENCRYPTION_KEY answers.
    await page.route('**/api/me', async (route) => {
      const response = await route.fetch();
      const me = await response.json();
      await route.fulfill({ response, json: { ...me, offers: { ...me.offers, twoFactor: false } } });
    });
    await page.goto(at('/account/sign-in'));
    await expect(page.getByRole('heading', { name: 'Passkeys' })).toBeVisible();
    await expect(button(page, 'Set up an authenticator app')).toHaveCount(0);
    await expect(page.getByText('ENCRYPTION_KEY')).toHaveCount(roles.length);
    if (roles.length > 0) await look(page, 'accounts-no-two-factor', { widths: [360, 1440] });
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await context.close();
  }
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
  await page.getByRole('main').getByRole('link', { name: 'Invitations' }).click();
  await expect(page.getByRole('heading', { name: 'Invitations', level: 1 })).toBeVisible();
  const entry = page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Users' });
  await expect(entry).toHaveAttribute('aria-current', 'page');
  await look(page, 'accounts-invitations', { widths: [360, 1440] });
  await page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('link', { name: 'Users' }).click();
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

test('/admin leads operators to the users, and others to what they may do', async ({ browser, backend }) => {
  const open = async (roles?: string[]) => {
    const storageState =
      roles && storageOf(await makeSignedIn(backend.databaseUrl, 'Ida', { roles }), 'localhost');
    const page = await (await browser.newContext(storageState && { storageState })).newPage();
    await page.goto(at('/admin'));
    return page;
  };
  const anonymous = await open();
  // Two requests of the screen are refused: the second one leaves the address as it is.
  await expect(anonymous.getByText('Sign in to continue to Users.')).toBeVisible();
  await expect(anonymous).toHaveURL(at('/sign-in?returnTo=%2Fadmin%2Fusers'));
  const user = await open([]);
  await expect(user.getByText('You do not have access')).toBeVisible();
  await expect(user.getByText('An operator can give you the role.')).toBeVisible();
  await expect(user.getByRole('searchbox', { name: 'Search users' })).toHaveCount(0);
  await look(user, 'accounts-not-permitted', { widths: [360, 1440] });
  const operator = await open(['operator']);
  await operator.waitForURL(at('/admin/users'));
  await expect(operator.getByRole('heading', { name: 'Users', level: 1 })).toBeVisible();
  for (const page of [anonymous, user, operator]) await page.context().close();
});

test('in development too, each visitor is offered what they may enter', async ({ browser, backend }) => {
  const port = await freePort();
  await using clone = await backend.start({ PORT: String(port), NODE_ENV: 'development' });
  await clone.ready();
  /** @returns What the navigation offers. @param address Of a visitor who comes through a proxy, from another machine. */
  const offered = async (roles: string[], address?: string) => {
    const visitor = await makeSignedIn(backend.databaseUrl, 'Ida', { roles });
    const context = await browser.newContext({
      storageState: storageOf(visitor, 'localhost'),
      ...(address && { extraHTTPHeaders: { 'x-forwarded-for': address } }),
    });
    const page = await context.newPage();
    await page.goto(`http://localhost:${port}/`);
    await expect(button(page, 'Account of Ida')).toBeVisible();
    await expect(page.getByRole('region', { name: 'What to do next' })).toBeVisible();
    const entries = await page.getByRole('navigation', { name: 'Main' }).getByRole('link').allTextContents();
    // Back on the home screen, the visitor is known from the first moment.
    await page.getByRole('link', { name: 'Notes' }).first().click();
    await page.getByRole('link', { name: 'Home' }).first().click();
    await expect(page.getByRole('heading', { name: 'Rename it' })).toBeVisible();
    const isOperator = roles.includes('operator');
    await expect(page.getByRole('heading', { name: 'Become an operator' })).toHaveCount(isOperator ? 0 : 1);
    await page.goto(`http://localhost:${port}/dev/mail`);
    const mayRead = page.getByText('Shown here instead of being sent.').or(page.getByLabel('Operators’ key'));
    await expect(mayRead).toBeVisible();
    // While the list loads, the screen does not know yet.
    await expect(page.getByRole('main').locator('[aria-busy=true]')).toHaveCount(0);
    const isMailbox = await page.getByText('Shown here instead of being sent.').isVisible();
    await context.close();
    return [...entries, isMailbox];
  };
  expect(await offered([])).toEqual(['Home', 'Notes', 'Mailbox', true]);
  expect(await offered([], '192.0.2.7')).toEqual(['Home', 'Notes', false]);
  const all = ['Home', 'Notes', 'Operations', 'Jobs', 'Email delivery', 'Mailbox', 'Users', true];
  expect(await offered(['operator'])).toEqual(all);
  expect(await offered(['operator'], '192.0.2.7')).toEqual(all);
});

test('a link that a mail program has cut says so, and what to do', async ({ page }) => {
  for (const [address, remedy] of [
    ['/join#token=short', 'Sign in'],
    ['/verify#token=short', 'Sign in'],
    ['/verify#token=', 'Sign in'],
    ['/reset#token=short', 'Ask for a new link'],
  ] as const) {
    await page.goto(at('/live'));
    await page.goto(at(address));
    await expect(page.getByRole('heading', { name: 'The link is incomplete' }), address).toBeVisible();
    await expect(page.getByRole('main').getByRole('link', { name: remedy }), address).toBeVisible();
  }
  await look(page, 'accounts-cut-link', { widths: [360, 1440] });
  await page.getByRole('link', { name: 'Ask for a new link' }).click();
  await expect(page.getByLabel('Email')).toBeVisible();
});

test('an invitation that is opened while signed in is accepted after signing out', async ({ page }) => {
  const email = await signUp(page);
  await page.goto(at('/join#token=one-that-is-long-enough'));
  await expect(page.getByText(`You are signed in as Ada Lovelace (${email})`)).toBeVisible();
  await expect(page.getByLabel('Email')).toHaveCount(0);
  await look(page, 'accounts-join-signed-in', { widths: [360, 1440] });
  await page.route('**/api/account/sign-out', (route) => route.abort(), { times: 1 });
  await button(page, 'Sign out and accept').click();
  await expect(page.getByRole('alert')).toContainText('The server cannot be reached');
  await button(page, 'Sign out and accept').click();
  await expect(page.getByText('You are invited.')).toBeVisible();
  await expect(button(page, 'Create account')).toBeVisible();
  await expect(page).toHaveURL(at('/join#token=one-that-is-long-enough'));
});

test('what is wrong with a value that no field shows is said at the form', async ({ page }) => {
  await page.route('**/api/account/sign-up', (route) =>
    route.fulfill({
      status: 400,
      contentType: 'application/problem+json',
      json: {
        type: '/problems/validation',
        title: 'The request is not valid',
        status: 400,
        detail: 'The invitation is not one of this server.',
        instance: '/api/account/sign-up',
        requestId: '4f1c0d2e9a7b4c55',
        errors: [{ path: '/body/invitation', message: 'is unknown' }],
      },
    }),
  );
  await page.goto(at('/join#token=one-that-is-long-enough'));
  await page.getByLabel('Name').fill('Ada Lovelace');
  await page.getByLabel('Email').fill('ada@example.com');
  await password(page).fill(PASSWORD);
  await button(page, 'Create account').click();
  await expect(page.getByRole('alert')).toContainText('The invitation is not one of this server.');
});

test('fields of the adopter’s own are asked for at sign-up, and changed on the account screen', async ({
  page,
  backend,
}) => {
  const port = await freePort();
  const main = join(ROOT, 'tests/support/profile-fixture/main.ts');
  const env = { PORT: String(port), PUBLIC_URL: `http://localhost:${port}`, SIGN_UP: 'open' };
  await using own = await backend.start(env, { main });
  await own.ready();
  const email = `own-${process.pid}@example.com`;
  await page.goto(`http://localhost:${port}/sign-up?returnTo=%2Faccount`);
  await page.getByLabel('Name').fill('Ada Lovelace');
  await page.getByLabel('Email').fill(email);
  await password(page).fill(PASSWORD);
  // What is optional can wait.
  await expect(page.getByLabel('Seats')).toHaveCount(0);
  await button(page, 'Create account').click();
  await expect(page.getByText('Fill in this field.')).toBeVisible();
  await expect(page.getByText('Choose an option.')).toBeVisible();
  await expect(page.getByText('Tick this box to go on.')).toBeVisible();
  await expect(page.getByLabel('Company', { exact: true })).toBeFocused();
  await page.getByLabel('Company', { exact: true }).fill('A');
  await page.getByLabel('Size of the company').selectOption('More than 10 people');
  await page.getByRole('checkbox', { name: 'I accept the terms' }).click();
  await button(page, 'Create account').click();
  await expect(page.getByText('Enter at least 2 characters.')).toBeVisible();
  await look(page, 'accounts-sign-up-profile', { widths: [360, 1440] });
  await page.getByLabel('Company', { exact: true }).fill('Engines');
  await button(page, 'Create account').click();
  await page.waitForURL(`http://localhost:${port}/account`);

  await expect(page.getByLabel('Size of the company')).toHaveValue('large');
  await page.getByLabel('Seats').fill('501');
  await page.getByLabel('Handle').fill('admin');
  await page.getByLabel('Plan').selectOption('Pro');
  await page.getByRole('checkbox', { name: 'News letter' }).click();
  await button(page, 'Save').click();
  await expect(page.getByText('Enter 500 or less.')).toBeVisible();
  await page.getByLabel('Seats').fill('50');
  await button(page, 'Save').click();
  // The server has the last word, and it is said at the field.
  await expect(page.getByLabel('Handle')).toHaveAttribute('aria-invalid', 'true');
  await expect(page.getByLabel('Handle')).toBeFocused();
  await look(page, 'accounts-profile');
  await page.getByLabel('Handle').fill('ada');
  await button(page, 'Save').click();
  await expect(page.getByText('Saved')).toBeVisible();
  const kept = async () =>
    (await query(backend.databaseUrl, 'SELECT profile FROM users WHERE email = $1', [email])).rows[0].profile;
  const profile = { company: 'Engines', size: 'large', terms: true, plan: 'pro', newsLetter: true };
  expect(await kept()).toEqual({ ...profile, seats: 50, handle: 'ada' });
  await page.getByLabel('Seats').fill('');
  await page.getByLabel('Plan').selectOption('');
  await button(page, 'Save').click();
  await expect.poll(kept).toEqual({ ...profile, plan: undefined, handle: 'ada' });
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
  await expect(page.getByText('This link no longer works')).toBeVisible();

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

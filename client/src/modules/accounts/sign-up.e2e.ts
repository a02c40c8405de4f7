import { join } from 'node:path';
import { accountsServer, button, PASSWORD, password } from '../../../../tests/browser/accounts.ts';
import { expect, look, test } from '../../../../tests/browser/fixtures.ts';
import { refuse } from '../../../../tests/browser/problems.ts';
import { query } from '../../../../tests/support/postgres.ts';
import { freePort, ROOT } from '../../../../tests/support/server.ts';

const { at, signIn, signUp } = accountsServer();

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
  await expect(page.getByLabel('Title', { exact: true })).toHaveValue('My first note');
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
    refuse(route, '/body/invitation', 'is unknown', 'The invitation is not one of this server.'),
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

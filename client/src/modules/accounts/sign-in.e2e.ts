import { accountsServer, button, PASSWORD, password, totp } from '../../../../tests/browser/accounts.ts';
import { expect, look, test } from '../../../../tests/browser/fixtures.ts';

const { at, signIn, signOut, signUp } = accountsServer();

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
  await expect(page.getByLabel('Name')).toBeVisible();
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
  await expect(page.getByLabel('Title', { exact: true })).toHaveValue('My first note');

  await signOut(page);
  await page.goto(at('/sign-in?returnTo=https%3A%2F%2Fevil.example%2F'));
  await signIn(page, `back-${process.pid}@example.com`);
  await page.waitForURL(at('/'));
});

test('a second factor is set up, asked for, and replaced by a recovery code', async ({ page }) => {
  const email = await signUp(page, '/account/sign-in');
  await button(page, 'Set up an authenticator app').click();
  const secret = ((await page.locator('code').textContent()) ?? '').replaceAll(' ', '');
  await look(page, 'accounts-two-factor');
  await expect(page.getByRole('textbox', { name: 'Code' })).toBeFocused();
  await page.keyboard.type('000000');
  await expect(page.getByRole('alert')).toContainText('The code is wrong');
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

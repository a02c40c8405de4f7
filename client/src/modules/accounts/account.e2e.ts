import { accountsServer, button, PASSWORD, password, totp } from '../../../../tests/browser/accounts.ts';
import { expect, look, test } from '../../../../tests/browser/fixtures.ts';
import { signIn as makeSignedIn } from '../../../../tests/browser/signed-in.ts';
import { storageOf } from '../../../../tests/browser/visitor.ts';
import { query } from '../../../../tests/support/postgres.ts';

const { at, signIn, signOut, signUp } = accountsServer();

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
  await query(
    backend.databaseUrl,
    `WITH aged AS (UPDATE sessions SET authenticated_at = now() - interval '1 day' RETURNING user_id)
     SELECT pg_notify('users', user_id) FROM aged`,
  );
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

test('a session that ends while two-factor is set up is no wrong code', async ({ page, backend }) => {
  const email = await signUp(page, '/account/sign-in');
  await button(page, 'Set up an authenticator app').click();
  const secret = ((await page.locator('code').textContent()) ?? '').replaceAll(' ', '');
  await query(
    backend.databaseUrl,
    `WITH ended AS (DELETE FROM sessions USING users
       WHERE users.id = user_id AND email = '${email}' RETURNING user_id)
     SELECT pg_notify('users', user_id) FROM ended`,
  );
  await expect.poll(async () => (await page.request.get(at('/api/me'))).json()).toMatchObject({ user: null });
  await page.getByRole('textbox', { name: 'Code' }).fill(totp(secret));
  const question = page.getByRole('dialog', { name: 'Sign in again' });
  await password(page).fill(PASSWORD);
  await question.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('list', { name: 'Recovery codes' })).toBeVisible();
});

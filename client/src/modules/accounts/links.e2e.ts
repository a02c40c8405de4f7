import { createHash, randomUUID } from 'node:crypto';
import { accountsServer, button, password } from '../../../../tests/browser/accounts.ts';
import { expect, look, settle, test } from '../../../../tests/browser/fixtures.ts';
import { query } from '../../../../tests/support/postgres.ts';

const { at, signIn, signUp } = accountsServer();

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

/** What the link of a mail opens, without the mail. */
async function link(databaseUrl: string, purpose: 'verify' | 'reset', email: string) {
  const token = `token-of-${purpose}-${randomUUID()}`;
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
  await expect(button(page, 'Verify my address')).toBeVisible();
  await look(page, 'accounts-verify', { widths: [360, 1440] });
  await page.reload();
  await expect(button(page, 'Verify my address')).toBeVisible();
  // Left and come back to without a load of the page.
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Home' }).click();
  await expect(button(page, 'Verify my address')).toHaveCount(0);
  await page.goBack();
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
  // While the file of the next screen is under way, this one stays as it is.
  const arrival = Promise.withResolvers<void>();
  await page.route('**/assets/sign-in-screen*', (route) => arrival.promise.then(() => route.continue()));
  await page.getByRole('link', { name: 'Sign in' }).last().click();
  await page.waitForURL(at('/sign-in'));
  await settle(page);
  await expect(page.getByText('Your password is changed')).toBeVisible();
  arrival.resolve();
  await signIn(page, email);
  await expect(page.getByRole('alert')).toHaveText('The address or the password is wrong.');
  await password(page).fill('quite another password');
  await button(page, 'Sign in').click();
  await page.waitForURL(at('/'));

  // Where it is not configured, the screen says what to set.
  await page.goto(`${baseURL}/sign-in`);
  await expect(page.getByText('Set PUBLIC_URL, then restart the server.')).toBeVisible();
});

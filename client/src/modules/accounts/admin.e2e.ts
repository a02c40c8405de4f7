import { accountsServer, button } from '../../../../tests/browser/accounts.ts';
import { expect, look, test } from '../../../../tests/browser/fixtures.ts';
import { signIn as makeSignedIn } from '../../../../tests/browser/signed-in.ts';
import { storageOf } from '../../../../tests/browser/visitor.ts';
import { freePort } from '../../../../tests/support/server.ts';

const { at } = accountsServer();

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
  await expect(button(page, 'Act as…')).toBeVisible();
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
    const step = `${roles.includes('operator') ? 'Done: ' : ''}Become an operator`;
    await expect(page.getByRole('heading', { name: step, exact: true })).toBeVisible();
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

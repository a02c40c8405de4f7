import { expect, test } from '../../../../tests/browser/fixtures.ts';
import { KEY, SECRETS, signIn } from '../../../../tests/browser/operators.ts';

test('the navigation and the palette offer operations to operators alone', async ({ page, backend }) => {
  await using server = await backend.start(SECRETS);
  await server.ready(60_000);
  const main = page.getByRole('navigation', { name: 'Main' });
  const link = main.getByRole('link', { name: 'Operations' });
  const palette = page.getByRole('dialog', { name: 'Commands' });
  const searchCommands = async () => {
    await expect(async () => {
      await page.keyboard.press('Control+k');
      // The page may not have been listening yet.
      await expect(palette).toBeVisible({ timeout: 1_000 });
    }).toPass();
    await palette.getByRole('combobox').fill('operations');
  };
  const leaveCommands = async () => {
    await page.keyboard.press('Escape');
    await expect(palette).toBeHidden();
  };
  await page.goto(server.url);
  await expect(main.getByRole('link', { name: 'Home' })).toBeVisible();
  await expect(page.getByText('Welcome.')).toBeVisible();
  await expect(link).toHaveCount(0);
  await searchCommands();
  await expect(palette.getByRole('status')).toHaveText('No results.');
  await leaveCommands();

  await signIn(page, `${server.url}/ops`);
  await expect(link).toBeVisible();
  await page.goto(server.url);
  await expect(link).toBeVisible();
  await searchCommands();
  await expect(palette.getByRole('option').nth(1)).toBeVisible();
  await leaveCommands();
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage }))).not.toContain(KEY);

  await link.click();
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(link).toHaveCount(0);
  await page.goto('about:blank');
});

import { expect, test } from '../../../../tests/browser/fixtures.ts';
import { KEY, SECRETS, signIn } from '../../../../tests/browser/operators.ts';

test('the navigation and the palette offer operations to operators alone', async ({ page, backend }) => {
  await using server = await backend.start(SECRETS);
  await server.ready(60_000);
  const main = page.getByRole('navigation', { name: 'Main' });
  const link = main.getByRole('link', { name: 'Operations' });
  const commands = async () => {
    await page.keyboard.press('Control+k');
    await page.keyboard.type('operations');
    const options = page.getByRole('dialog').getByRole('option');
    const count = await options.count();
    await page.keyboard.press('Escape');
    return count;
  };
  await page.goto(server.url);
  await expect(main.getByRole('link', { name: 'Home' })).toBeVisible();
  await expect(page.getByText('Welcome.')).toBeVisible();
  await expect(link).toHaveCount(0);
  expect(await commands()).toBe(0);

  await signIn(page, `${server.url}/ops`);
  await expect(link).toBeVisible();
  await page.goto(server.url);
  await expect(link).toBeVisible();
  // The palette may not have been listening yet.
  await expect.poll(commands).toBeGreaterThan(1);
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage }))).not.toContain(KEY);

  await link.click();
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(link).toHaveCount(0);
  await page.goto('about:blank');
});

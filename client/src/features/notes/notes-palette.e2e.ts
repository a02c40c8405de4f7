import { expect, look, test } from '../../../../tests/browser/fixtures.ts';

test.use({ failedRequests: true });

test('the palette finds notes by what is typed, and says so where it cannot', async ({
  page,
  server,
  visitor,
}) => {
  for (const title of ['Palette zebra one', 'Palette zebra two']) {
    const { status } = await fetch(`${server.url}/api/notes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie: visitor.cookie },
      body: JSON.stringify({ title }),
    });
    expect(status).toBe(201);
  }
  await page.goto('/');
  await expect(page.getByText('Welcome.')).toBeVisible();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('zebra');
  const palette = page.getByRole('dialog', { name: 'Commands' });
  await expect(palette.getByRole('option')).toHaveText([/^Palette zebra two/, /^Palette zebra one/]);
  await look(page, 'palette-notes', { within: 'dialog' });
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(palette).toBeHidden();
  await expect(page).toHaveURL(/\/notes\/\d+$/);
  await expect(page.getByRole('textbox', { name: 'Title' })).toHaveValue('Palette zebra one');

  await page.route('**/api/notes?*', (route) => route.abort());
  await page.keyboard.press('Control+k');
  await page.keyboard.type('zebra');
  await expect(palette.getByText('The data cannot be searched now.')).toBeVisible();
});

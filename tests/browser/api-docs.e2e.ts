import { expect, look, test } from './fixtures.ts';

test('the API description can be read, in both themes, at every width, by keyboard', async ({ page }) => {
  await page.goto('/api/docs');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await look(page, 'api-docs');

  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  const index = page.getByRole('navigation', { name: 'API' });
  await index.getByRole('link', { name: 'GET /status' }).click();
  await expect(page.locator('#getApiStatus')).toBeInViewport();
});

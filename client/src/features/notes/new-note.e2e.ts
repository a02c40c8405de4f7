import { expect, test } from '../../../../tests/browser/fixtures.ts';

const TITLE = 'Title of the new note';

test.beforeEach(async ({ page }) => {
  await page.goto('/notes?new=true');
  await expect(page.getByLabel(TITLE)).toBeFocused();
});

test('an empty title is refused beside its field, by the rule of the contract', async ({ page }) => {
  await page.getByLabel(TITLE).fill('   ');
  await page.getByRole('button', { name: 'Create' }).click();
  await expect(page.getByText('A note needs a title.')).toBeVisible();
  await expect(page.getByLabel(TITLE)).toBeFocused();
  await expect(page.getByLabel(TITLE)).toHaveAttribute('aria-invalid', 'true');
  await page.keyboard.type('A title');
  await expect(page.getByText('A note needs a title.')).toHaveCount(0);
});

test('a double click creates one note', async ({ page }) => {
  const letGo = Promise.withResolvers<void>();
  let sent = 0;
  await page.route('**/api/notes', async (route) => {
    if (route.request().method() === 'POST') {
      sent += 1;
      await letGo.promise;
    }
    await route.continue();
  });
  await page.getByLabel(TITLE).fill('Once');
  await page.getByRole('button', { name: 'Create' }).dblclick();
  letGo.resolve();
  await expect(page).toHaveURL(/\/notes\/\d+$/);
  expect(sent).toBe(1);
});

test.describe(() => {
  test.use({ failedRequests: true });

  test('what the server refuses lands at its field, which takes the focus', async ({ page }) => {
    await page.route('**/api/notes', (route) =>
      route.request().method() === 'POST'
        ? route.fulfill({
            status: 400,
            contentType: 'application/problem+json',
            json: {
              type: '/problems/validation',
              title: 'The request is not valid',
              status: 400,
              instance: '/api/notes',
              requestId: 'e2e',
              errors: [{ path: '/body/title', message: 'is taken' }],
            },
          })
        : route.fallback(),
    );
    await page.getByLabel(TITLE).fill('Taken');
    await page.getByRole('button', { name: 'Create' }).click();
    await expect(page.getByText('is taken')).toBeVisible();
    await expect(page.getByLabel(TITLE)).toBeFocused();
    await expect(page.getByLabel(TITLE)).toHaveValue('Taken');
    await page.reload();
    await expect(page.getByLabel(TITLE)).toHaveValue('Taken');
  });
});

import { expect, look, test } from '../../../../tests/browser/fixtures.ts';
import { refuse } from '../../../../tests/browser/problems.ts';

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
  await expect(page.getByLabel(TITLE)).toHaveAccessibleDescription('A note needs a title.');
  await expect(page.locator('[aria-live=polite]').getByText('A note needs a title.')).toBeVisible();
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
      route.request().method() === 'POST' ? refuse(route, '/body/title', 'is taken') : route.fallback(),
    );
    await page.getByLabel(TITLE).fill('Taken');
    await page.getByRole('button', { name: 'Create' }).click();
    await expect(page.getByText('Is taken.')).toBeVisible();
    await expect(page.getByLabel(TITLE)).toBeFocused();
    await expect(page.getByLabel(TITLE)).toHaveValue('Taken');
    await page.reload();
    await expect(page.getByLabel(TITLE)).toHaveValue('Taken');
  });

  test('created while the server is away, it waits and is sent once', async ({ page, backend }) => {
    let server = await backend.start();
    await server.ready();
    await page.goto(`${server.url}/notes?new=true`);
    await expect(page.getByLabel(TITLE)).toBeFocused();
    await server.end('SIGKILL');
    await expect(page.getByText('The server cannot be reached.')).toBeVisible();
    let sent = 0;
    page.on('request', (request) => {
      if (request.method() === 'POST') sent += 1;
    });
    await page.getByLabel(TITLE).fill('Waited');
    await page.getByRole('button', { name: 'Create' }).dblclick();
    await expect(page.getByText('Waiting for the server')).toBeVisible();
    server = await backend.start({ PORT: String(server.port) });
    await expect(page).toHaveURL(/\/notes\/\d+$/);
    await expect(page.getByLabel('Title')).toHaveValue('Waited');
    expect(sent).toBe(1);
    await server.end();
  });
});

test('text that the browser cannot keep is not left without a question', async ({ page }) => {
  await page.addInitScript(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
  });
  await page.reload();
  await page.getByLabel(TITLE).fill('Only here');
  const home = page.getByRole('link', { name: 'Home' });
  const question = page.getByRole('alertdialog', { name: 'Leave without saving?' });
  await home.click();
  await expect(question).toBeVisible();
  await look(page, 'form-leave');
  await page.keyboard.press('Escape');
  await expect(question).toHaveCount(0);
  await expect(page.getByLabel(TITLE)).toHaveValue('Only here');
  await home.click();
  await question.getByRole('button', { name: 'Leave' }).click();
  await expect(page).toHaveURL(/\/$/);
});

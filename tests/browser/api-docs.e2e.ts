import { expect, look, test } from './fixtures.ts';

test('the API page is read in both themes, at every width, by keyboard', async ({ page }) => {
  await page.goto('/api/docs');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  // It is long, and at every width the same for axe.
  await look(page, 'api-docs', { widths: [1440] });
  await look(page, 'api-docs', { within: 'header', widths: [360, 768] });

  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  const index = page.getByRole('navigation', { name: 'API' });
  await index.getByRole('link', { name: 'GET /status' }).click();
  await expect(page.locator('#getApiStatus')).toBeInViewport();
  await look(page, 'api-docs-operation', { within: '#getApiStatus' });
});

test('it is searched, and copied from as curl and as fetch', async ({ page, context, server }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto('/api/docs');
  await page.keyboard.press('/');
  await page.keyboard.type('state steps');
  await expect(page.getByRole('article')).toHaveCount(1);
  const status = page.locator('#getApiStatus');
  await expect(status).toBeVisible();
  await page.getByRole('searchbox').fill('no such thing');
  await expect(page.getByText('Nothing matches.')).toBeVisible();
  await look(page, 'api-docs-nothing', { within: 'header', widths: [1440] });
  await page.getByRole('searchbox').fill('');

  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  const request = status.locator('.code').first();
  await request.getByRole('button', { name: 'Copy' }).click();
  await expect(request.getByRole('button', { name: 'Copied' })).toBeVisible();
  expect(await copied()).toBe(`curl '${server.url}/api/status'`);
  await request.getByRole('button', { name: 'fetch' }).click();
  await request.getByRole('button', { name: 'Cop' }).click();
  await expect.poll(copied).toBe("const response = await fetch('/api/status');");
});

test('on a phone the contents open over the page, and close at the chosen part', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto('/api/docs');
  const index = page.getByRole('navigation', { name: 'API' });
  await expect(index).toBeHidden();
  await page.getByRole('button', { name: 'Contents' }).click();
  await look(page, 'api-docs-contents', { within: 'header', widths: [360] });
  await index.getByRole('link', { name: 'GET /status' }).click();
  await expect(index).toBeHidden();
  await expect(page.locator('#getApiStatus')).toBeInViewport();
});

test('a read is tried at once; its answer is shown as it is', async ({ page }) => {
  await page.goto('/api/docs');
  const status = page.locator('#getApiStatus');
  await status.getByText('Try it').click();
  await status.getByRole('button', { name: 'Send' }).click();
  await expect(status.getByRole('status')).toHaveText(/^200 OK in \d+ ms$/);
  await expect(status.locator('form pre')).toContainText('"state": "ready"');
  await look(page, 'api-docs-tried', { within: '#getApiStatus' });
});

test.describe('what a key opens', () => {
  const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';
  test.use({ failedRequests: true, storageState: { cookies: [], origins: [] } });

  test('is for that key, which stays in the page; a write asks first', async ({ page, backend }) => {
    await using server = await backend.start({ INTERNAL_API_KEY: KEY });
    await server.ready();
    await page.goto(`${server.url}/api/docs`);
    const metrics = page.locator('#getMetrics');
    await metrics.getByText('Try it').click();
    await metrics.getByRole('button', { name: 'Send' }).click();
    await expect(metrics.getByRole('status')).toHaveText(/^401 /);
    await page.getByLabel('Key', { exact: true }).fill(KEY);
    await metrics.getByRole('button', { name: 'Send' }).click();
    await expect(metrics.getByRole('status')).toHaveText(/^200 /);
    await expect(metrics.locator('form pre')).toContainText('http_');

    const session = page.locator('#deleteApiOperationsSession');
    const sent: string[] = [];
    page.on('request', (request) => {
      if (request.method() === 'DELETE') sent.push(new URL(request.url()).pathname);
    });
    await session.getByText('Try it').click();
    await session.getByRole('button', { name: 'Send' }).click();
    const question = page.getByRole('dialog', { name: 'Send this request?' });
    await expect(question).toContainText('DELETE /api/operations/session may change data');
    await look(page, 'api-docs-confirm', { within: 'dialog', widths: [360, 1440] });
    await page.keyboard.press('Escape');
    await expect(question).toBeHidden();
    expect(sent).toEqual([]);
    await session.getByRole('button', { name: 'Send' }).click();
    await question.getByRole('button', { name: 'Send' }).click();
    await expect(session.getByRole('status')).toHaveText(/^2\d\d /);
    expect(sent).toEqual(['/api/operations/session']);

    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    expect(kept + JSON.stringify(await page.context().cookies())).not.toContain(KEY);
    await page.reload();
    await expect(page.getByLabel('Key', { exact: true })).toHaveValue('');
  });
});

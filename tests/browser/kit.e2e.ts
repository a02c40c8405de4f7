import { join } from 'node:path';
import { createServer, type ViteDevServer } from 'vite';
import { freePort, ROOT } from '../support/server.ts';
import { expect, look, test } from './fixtures.ts';

// The developers' screen exists in development only, so Vite itself serves it here, without our server behind it.
let vite: ViteDevServer;
let address: string;

test.beforeAll(async () => {
  const port = await freePort();
  vite = await createServer({
    configFile: join(ROOT, 'vite.config.ts'),
    logLevel: 'error',
    server: { port, strictPort: true, host: '127.0.0.1' },
  });
  await vite.listen();
  address = `http://127.0.0.1:${port}/dev/pieces`;
});
test.afterAll(() => vite.close());

test.use({ failedRequests: true });

test('every piece stands on the developers’ page, and every overlay opens and closes by keyboard', async ({
  page,
}) => {
  await page.goto(address);
  await expect(page.getByRole('heading', { name: 'Pieces' })).toBeVisible();
  await look(page, 'pieces');

  await page.getByRole('button', { name: 'Open dialog' }).press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Delete this project?' });
  await expect(dialog).toBeVisible();
  await look(page, 'piece-dialog');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(page.getByRole('button', { name: 'Open dialog' })).toBeFocused();

  await page.getByRole('button', { name: 'More' }).press('Enter');
  await expect(page.getByRole('menuitem', { name: 'Rename' })).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(page.getByRole('menuitem', { name: 'Delete' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByText('Deleted “Plan”')).toBeVisible();

  await page.getByRole('button', { name: 'Open palette' }).press('Enter');
  await page.keyboard.type('oper');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('region', { name: 'Messages' })).toContainText('Operations');

  await page.getByRole('tab', { name: 'Requests' }).focus();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByRole('tabpanel', { name: 'Errors' })).toBeVisible();

  await page.getByRole('region', { name: 'Form and fields' }).getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('textbox', { name: 'Title' })).toHaveAccessibleDescription(/must not be empty/);
});

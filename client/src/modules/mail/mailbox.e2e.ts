/** The mailbox of development, as built, under production's policy. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createBuilder } from 'vite';
import { expect, look, test } from '../../../../tests/browser/fixtures.ts';
import { copyForDevelopment, removeCopy } from '../../../../tests/support/development.ts';
import { query } from '../../../../tests/support/postgres.ts';
import { ROOT, type SpawnedServer } from '../../../../tests/support/server.ts';

const KEY = randomBytes(32).toString('base64url');
const SECRETS = { INTERNAL_API_KEY: KEY, SESSION_SECRET: randomBytes(32).toString('base64url') };

// 401 until an operator is signed in, and a page of JSON without an icon.
test.use({ failedRequests: true });

let copy: string;
let server: SpawnedServer;

test.beforeAll(async ({ backend }) => {
  copy = await copyForDevelopment();
  const builder = await createBuilder({
    configFile: join(ROOT, 'vite.config.ts'),
    mode: 'kit',
    logLevel: 'error',
    environments: { client: { build: { outDir: join(copy, 'dist/client') } } },
  });
  await builder.build(builder.environments.client as NonNullable<typeof builder.environments.client>);
  const main = join(copy, 'tests/support/mail-fixture/main.ts');
  server = await backend.start({ ...SECRETS, NODE_ENV: 'development' }, { main });
  await server.ready();
  // Other tests of this worker send mails.
  await query(backend.databaseUrl, 'delete from mail_outbox');
});
test.afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await removeCopy(copy);
});

const send = (to: string, link: string) =>
  fetch(`${server.url}/api/verifications?${new URLSearchParams({ to, link })}`, { method: 'POST' });

test('a mail sent in development is read in the browser', async ({ page, context }) => {
  await page.goto(`${server.url}/dev/mail`);
  await expect(page.getByText('No emails yet').filter({ visible: true })).toBeVisible();
  await look(page, 'mailbox-empty');

  const link = `${server.url}/?token=<b>"a&b`;
  await send('ada@example.com', link);
  const entry = page.getByRole('link', { name: /^Verify your address/ });
  await expect(entry).toContainText('To ada@example.com');
  await entry.click();
  await expect(page).toHaveURL(/\/dev\/mail\/\d+$/);
  await page.reload();
  await expect(page.getByRole('heading', { level: 2, name: 'Verify your address' })).toBeVisible();
  await expect(page.getByText('terms.txt')).toBeVisible();

  const opening = context.waitForEvent('page');
  await page.frameLocator('iframe').getByRole('link', { name: 'Verify address' }).click();
  const opened = await opening;
  await expect(opened).toHaveURL(/token=/);
  await opened.close();

  // Axe would run its script in the frame, which is not allowed any: it looks at a tab without it.
  await page.getByRole('tab', { name: 'Text' }).click();
  await expect(page.getByRole('tabpanel', { name: 'Text' })).toContainText(
    'Open this link to verify your address:',
  );
  await look(page, 'mailbox-mail');
  await page.getByRole('tab', { name: 'Headers' }).click();
  await expect(page.getByRole('tabpanel', { name: 'Headers' })).toContainText('Message-ID');
  await page.getByRole('tab', { name: 'Source' }).click();
  await expect(page.getByRole('tabpanel', { name: 'Source' })).toContainText('multipart/');
  await page.keyboard.press('Escape');
  await expect(page).toHaveURL(/\/dev\/mail$/);
});

test('on another machine it is offered to operators alone', async ({ browser }) => {
  // As through a proxy, such as that of a Replit workspace.
  const context = await browser.newContext({ extraHTTPHeaders: { 'x-forwarded-for': '192.0.2.7' } });
  const page = await context.newPage();
  const entry = page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Mailbox' });
  await page.goto(server.url);
  await expect(page.getByRole('region', { name: 'What to do next' })).toBeVisible();
  await expect(entry).toHaveCount(0);

  expect((await context.request.get(`${server.url}/api/dev/mail`)).status()).toBe(401);

  await context.request.post(`${server.url}/api/operations/session`, { data: { key: KEY } });
  await entry.click();
  await expect(page.getByText('Shown here instead of being sent.')).toBeVisible();
  await context.close();
});

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, look, test } from '../../../../tests/browser/fixtures.ts';
import { query } from '../../../../tests/support/postgres.ts';
import { ROOT, type SpawnedServer } from '../../../../tests/support/server.ts';
import { startSmtpServer } from '../../../../tests/support/smtp.ts';

const KEY = randomBytes(32).toString('base64url');
const SECRETS = { INTERNAL_API_KEY: KEY, SESSION_SECRET: randomBytes(32).toString('base64url') };
const main = join(ROOT, 'tests', 'support', 'mail-fixture', 'main.ts');

// The stream of events ends with its server.
test.use({ failedRequests: true });

/** A mail server that refuses some for good. */
const mailServer = (refused: Set<string>) =>
  startSmtpServer({
    onRcptTo: ({ address }, _session, done) =>
      done(
        refused.has(address) ? Object.assign(new Error('no such mailbox'), { responseCode: 550 }) : undefined,
      ),
  });

const row = (page: Page, table: string, text: string) =>
  page.getByRole('region', { name: table, exact: true }).getByRole('row').filter({ hasText: text });

const send = async ({ url }: SpawnedServer, to: string) => {
  const search = new URLSearchParams({ to, link: `${url}/?token=very-secret` });
  const answer = await fetch(`${url}/api/verifications?${search}`, { method: 'POST' });
  return ((await answer.json()) as { sent: boolean }).sent;
};

async function signIn(page: Page, { url }: SpawnedServer) {
  await page.goto(`${url}/ops/mail`);
  await page.getByLabel('Operators’ key').fill(KEY);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Email delivery' })).toBeVisible();
}

test('an operator sees what was sent and refused, has it sent again, and suppresses an address', async ({
  page,
  backend,
}) => {
  const refused = new Set(['away@example.com']);
  await using smtp = await mailServer(refused);
  await using server = await backend.start(
    { ...SECRETS, SMTP_URL: smtp.url, MAIL_FROM: 'Example <mail@example.com>' },
    { main },
  );
  await server.ready();
  // Other tests of this worker send mails.
  await query(backend.databaseUrl, 'delete from mail_outbox');
  await signIn(page, server);
  await expect(
    page.getByText('Sent by SMTP from Example <mail@example.com>. Nothing is waiting.'),
  ).toBeVisible();
  await expect(page.getByText('No emails yet')).toBeVisible();
  await look(page, 'mail-none');

  await send(server, 'ada@example.com');
  await send(server, 'away@example.com');
  await expect(row(page, 'Emails', 'Sent')).toContainText('verify-address');
  await expect(row(page, 'Emails', 'Failed')).toContainText('no such mailbox');
  await expect(page.getByRole('main')).not.toContainText('ada@');
  await look(page, 'mail-outbox');

  await page.getByRole('link', { name: 'Failed' }).click();
  await expect(page).toHaveURL(/state=failed/);
  const states = page.getByRole('navigation', { name: 'Emails of the last 30 days by state' });
  await expect(states.locator('[aria-current=page]')).toHaveText(/^Failed/);
  await expect(row(page, 'Emails', 'Sent')).toBeHidden();
  refused.clear();
  await row(page, 'Emails', 'Failed').getByRole('button', { name: 'Retry' }).click();
  await expect(page.getByText('No such emails')).toBeVisible();
  await page.getByRole('link', { name: 'All' }).click();
  await expect(row(page, 'Emails', 'Sent')).toHaveCount(2);
  await page.getByLabel('Recipient’s address').fill('Away@example.com');
  await page.getByRole('button', { name: 'Find' }).click();
  await expect(row(page, 'Emails', 'Sent')).toHaveCount(1);
  await states.getByRole('link', { name: 'Failed' }).click();
  await expect(page.getByText('No such emails')).toBeVisible();

  await page.getByRole('tab', { name: 'Suppressed' }).click();
  await expect(page.getByText('No suppressed addresses')).toBeVisible();
  await page.getByRole('button', { name: 'Suppress an address' }).click();
  await page.getByRole('textbox', { name: 'Address', exact: true }).fill('ada@example.com');
  await page.getByRole('button', { name: 'Suppress', exact: true }).click();
  const suppressed = row(page, 'Suppressed addresses', 'Added by an operator');
  await expect(suppressed).toBeVisible();
  expect(await send(server, 'ada@example.com')).toBe(false);
  await look(page, 'mail-suppressed');
  await suppressed.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByText('No suppressed addresses')).toBeVisible();
  expect(await send(server, 'ada@example.com')).toBe(true);
});

test('without a provider production says what to set, and has no mailbox', async ({ page, backend }) => {
  await using server = await backend.start(SECRETS, { main });
  await server.ready();
  await send(server, 'grace@example.com');
  await signIn(page, server);
  await expect(page.getByText('Emails wait until a provider is set')).toBeVisible();
  await expect(row(page, 'Emails', 'Held')).toContainText('verify-address');
  await expect(page.getByText(/^No provider is set\. \d+ emails? unsent, the oldest for \d/)).toBeVisible();
  await look(page, 'mail-no-provider', { widths: [360, 1440] });
  await page.goto(`${server.url}/dev/mail`);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('There is nothing at this address');
});

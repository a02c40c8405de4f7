import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, look, test } from '../../../../tests/browser/fixtures.ts';
import { MARKS } from '../../../../tests/support/jobs-fixture/marks.ts';
import { query } from '../../../../tests/support/postgres.ts';
import { ROOT, type SpawnedServer } from '../../../../tests/support/server.ts';

const KEY = randomBytes(32).toString('base64url');
const SECRETS = { INTERNAL_API_KEY: KEY, SESSION_SECRET: randomBytes(32).toString('base64url') };
const main = join(ROOT, 'tests', 'support', 'jobs-fixture', 'main.ts');

// The stream of events ends with its server.
test.use({ failedRequests: true });

async function signIn(page: Page, server: SpawnedServer) {
  await page.goto(`${server.url}/ops/jobs`);
  await page.getByLabel('Operators’ key').fill(KEY);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Jobs' })).toBeVisible();
}
const row = (page: Page, table: string, text: string) =>
  page.getByRole('region', { name: table, exact: true }).getByRole('row').filter({ hasText: text });
const enqueue = async ({ url }: SpawnedServer, job: string, ms: number) => {
  await (await fetch(`${url}/api/marks?job=${job}&count=1&ms=${ms}`, { method: 'POST' })).arrayBuffer();
};

test('an operator sees what runs and what failed, cancels, pauses, and decides about the dead', async ({
  page,
  backend,
}) => {
  await using server = await backend.start(SECRETS, { main });
  await server.ready();
  await query(backend.databaseUrl, MARKS);
  await signIn(page, server);
  // One link, whether or not there is a way to it above the heading.
  await expect(page.getByRole('link').and(page.locator('[aria-current=page]'))).toHaveText('Jobs');
  await expect(row(page, 'Queues', 'doomed')).toContainText('0 3 1 1 * Europe/Berlin');

  await enqueue(server, 'work', 600_000);
  await expect(row(page, 'Jobs, running', 'work')).toContainText('0 of 10, begun');
  await row(page, 'Jobs, running', 'work').getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByText('No running jobs')).toBeVisible();

  await row(page, 'Queues', 'work').getByRole('button', { name: 'Pause' }).click();
  await expect(row(page, 'Queues', 'work')).toContainText('Paused');
  await enqueue(server, 'work', 1);
  await page.getByRole('tab', { name: 'Waiting' }).click();
  await expect(row(page, 'Jobs, waiting', 'work')).toBeVisible();
  await row(page, 'Queues', 'work').getByRole('button', { name: 'Resume' }).click();
  await expect(page.getByText('No waiting jobs')).toBeVisible();

  await enqueue(server, 'doomed', 1);
  await page.getByRole('tab', { name: 'Dead' }).click();
  await expect(row(page, 'Jobs, dead', 'doomed')).toContainText('the printer is on fire');
  await expect(row(page, 'Jobs, dead', 'doomed')).toContainText('1 of 1');
  const service = row(page, 'Other services, as called by this process', 'printer');
  await page.getByRole('tab', { name: 'Other services' }).click();
  await expect(service).toContainText('the printer is on fire');
  await service.getByRole('button', { name: 'Isolate' }).click();
  await expect(service).toContainText('Isolated');
  await service.getByRole('button', { name: 'Reset' }).click();
  await expect(service).toContainText('Called');
  await look(page, 'jobs-services');
  await page.getByRole('tab', { name: 'Dead' }).click();
  await look(page, 'jobs-dead');
  await row(page, 'Jobs, dead', 'doomed').getByRole('button', { name: 'Retry' }).click();
  await expect(row(page, 'Jobs, dead', 'doomed')).toContainText('2 of 2');
  await row(page, 'Jobs, dead', 'doomed').getByRole('button', { name: 'Discard' }).click();
  await expect(page.getByText('No dead jobs')).toBeVisible();
});

test('without jobs it says how to define one', async ({ page, backend }) => {
  await using server = await backend.start(SECRETS);
  await server.ready();
  await signIn(page, server);
  await expect(page.getByText('No jobs are defined')).toBeVisible();
  await look(page, 'jobs-none');
});

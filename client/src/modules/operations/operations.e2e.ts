import { expect, gate, look, test } from '../../../../tests/browser/fixtures.ts';
import { heading, KEY, row, SECRETS, send, sentence, signIn } from '../../../../tests/browser/operators.ts';
import { THINGS } from '../../../../tests/support/fixture/things.ts';
import { query } from '../../../../tests/support/postgres.ts';
import { type SpawnedServer, WITH_THINGS } from '../../../../tests/support/server.ts';

// Each has a server of its own, so they need not wait for each other.
test.describe.configure({ mode: 'parallel' });

/** Takes the table of things, and lets it go a second and a half after another session waits for it. */
const LOCK = `
  BEGIN;
  LOCK TABLE things;
  DO $$ BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_locks WHERE relation = 'things'::regclass AND NOT granted) LOOP
      PERFORM pg_sleep(0.02);
    END LOOP;
    PERFORM pg_sleep(1.5);
  END $$;
  COMMIT`;

/** Who holds the table of things for himself. */
const LOCKS =
  "SELECT pid FROM pg_locks WHERE relation = 'things'::regclass AND mode = 'AccessExclusiveLock' AND granted";

test.describe('under traffic', () => {
  let server: SpawnedServer;
  let way: Awaited<ReturnType<typeof gate>>;

  test.beforeEach(async ({ page, backend }) => {
    way = await gate(backend.databaseUrl);
    await way.open();
    server = await backend.start({ ...SECRETS, DATABASE_URL: way.url }, { main: WITH_THINGS });
    // From its sources it takes longer than as a bundle.
    await server.ready(60_000);
    await query(backend.databaseUrl, THINGS);
    await signIn(page, `${server.url}/ops`);
  });
  test.afterEach(async ({ page }) => {
    // A page whose server has gone says so to the console.
    await page.goto('about:blank');
    await server.end();
    way.close();
  });

  test('counts what was sent, route by route', async ({ page }) => {
    await send(server, 120, '/api/things');
    await send(server, 30, '/api/things/999999');
    await expect(sentence(page)).toContainText(
      /^Ready for .+ requests a second, no errors, 95% within .+\sms\. No alerts\.$/,
    );
    await expect(row(page, 'Busiest routes', 'GET /api/things').first()).toBeVisible();
    await look(page, 'operations-overview');

    await page.getByRole('navigation', { name: 'Operations' }).getByRole('link', { name: 'Routes' }).click();
    await expect(heading(page, 'Routes')).toBeFocused();
    const cells = (route: string) => row(page, 'Routes', route).getByRole('cell');
    await expect(cells('GET /api/things/:id').nth(1)).toHaveText('30');
    await expect(cells('GET /api/things/:id').nth(3)).toHaveText('100%');
    await expect(
      page
        .getByRole('link', { name: 'GET /api/things', exact: true })
        .locator('xpath=ancestor::tr')
        .getByRole('cell')
        .nth(1),
    ).toHaveText('120');
    await look(page, 'operations-routes');
    const sort = (name: string) => page.getByRole('columnheader', { name, exact: true });
    await sort('Slowest').getByRole('button').click();
    await expect(page).toHaveURL(/sort=max/);
    await expect(sort('Slowest')).toHaveAttribute('aria-sort', 'descending');
    await sort('Requests').getByRole('button').click();
    await expect(sort('Requests')).toHaveAttribute('aria-sort', 'descending');
    await sort('Requests').getByRole('button').click();
    await expect(page).toHaveURL(/sort=-requests/);
    await expect(sort('Requests')).toHaveAttribute('aria-sort', 'ascending');
    await row(page, 'Routes', 'GET /api/things/:id').getByRole('link').click();
    await expect(page).toHaveURL(/\/ops\/routes\?route=GET/);
    await expect(page.getByText('GET /api/things/:id').first()).toBeVisible();
    await expect(page.getByText('Client errors').locator('xpath=..')).toContainText('100%');
    await look(page, 'operations-route');
  });

  test('has one cursor for all charts, by keys and by pointing, and a table behind each', async ({
    page,
  }) => {
    await send(server, 50, '/api/things');
    const requests = page.getByRole('slider', { name: 'Requests, moment shown' });
    const duration = page.getByRole('slider', { name: 'Duration, moment shown' });
    await expect(requests).toHaveAttribute('aria-valuetext', /answered/);
    // From two moments on there is one to go back to.
    await expect(async () => {
      await requests.press('End');
      const end = await duration.getAttribute('aria-valuenow');
      await requests.press('ArrowLeft');
      await expect(duration).not.toHaveAttribute('aria-valuenow', String(end), { timeout: 500 });
    }).toPass();
    await page.getByRole('button', { name: 'Pause' }).click();
    await expect(page.getByText('Paused', { exact: true })).toBeVisible();
    await requests.focus();
    await page.keyboard.press('End');
    const last = await duration.getAttribute('aria-valuenow');
    await page.keyboard.press('ArrowLeft');
    await expect(duration).not.toHaveAttribute('aria-valuenow', String(last));
    const before = await duration.getAttribute('aria-valuenow');
    expect(Number(before)).toBeLessThan(Number(last));
    await expect(requests).toHaveAttribute('aria-valuenow', String(before));
    await page.keyboard.press('Escape');
    await expect(duration).toHaveAttribute('aria-valuenow', String(last));

    await page.getByRole('button', { name: 'Requests as a table' }).click();
    const table = page.getByRole('dialog', { name: 'Requests' });
    await expect(table.getByRole('row').nth(1)).toContainText('/s');
    await look(page, 'operations-chart-table');
    await page.keyboard.press('Escape');
    await expect(table).toBeHidden();
  });

  test('shows a route that throws, its error, and its lines in the log', async ({ page, backend }) => {
    await query(backend.databaseUrl, 'ALTER TABLE things RENAME TO mislaid');
    try {
      await send(server, 7, '/api/things');
    } finally {
      await query(backend.databaseUrl, 'ALTER TABLE mislaid RENAME TO things');
    }
    await expect(sentence(page)).toContainText(/\d% errors/);
    await page.getByRole('link', { name: 'Errors', exact: true }).click();
    const error = page.getByRole('button', { name: /relation "things" does not exist/ }).first();
    await expect(error).toContainText('7');
    await look(page, 'operations-errors');
    await error.click();
    const dialog = page.getByRole('dialog');
    await expect(dialog.getByRole('region', { name: 'Stack' })).toContainText('.ts:');
    await look(page, 'operations-error');
    await dialog.getByRole('link', { name: 'Show in the log' }).click();
    await expect(page).toHaveURL(/requestId=/);
    const lines = page.getByRole('region', { name: 'Log' }).getByRole('listitem');
    await expect(lines.filter({ hasText: '500' }).first()).toBeVisible();
    await look(page, 'operations-request-log');
  });

  test('shows a slow query, and what waits', async ({ page, backend }) => {
    await page.getByRole('link', { name: 'Resources' }).click();
    const locked = query(backend.databaseUrl, LOCK);
    await expect(async () => expect((await query(backend.databaseUrl, LOCKS)).rowCount).toBe(1)).toPass();
    await send(server, 3, '/api/things');
    await locked;
    await expect(row(page, 'Slowest queries', 'things').first()).toContainText(/\d\ss/);
    await expect(row(page, 'Health checks', 'database')).toContainText('Passing');
    await expect(row(page, 'Health checks', 'system')).toContainText(/[\d.,]+\s[GM]iB available/);
    await expect(row(page, 'Start-up and migrations', 'migrations')).toContainText('Done');
    await look(page, 'operations-resources');
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Record' }).click();
    expect((await download).suggestedFilename()).toMatch(/\.cpuprofile$/);
  });

  test('follows the log, filters it, and stands still when asked', async ({ page, findings }) => {
    await page.getByRole('link', { name: 'Logs' }).click();
    const lines = page.getByRole('region', { name: 'Log' }).getByRole('listitem');
    await send(server, 3, '/api/things?three');
    await send(server, 2, '/api/things/424242');
    await expect(lines.filter({ hasText: '/api/things/424242' })).toHaveCount(2);
    await look(page, 'operations-logs');
    await page.getByLabel('Filter lines').fill('424242');
    await expect(page).toHaveURL(/search=.*424242/);
    await expect(lines).toHaveCount(2);
    await send(server, 1, '/api/things/424242');
    await expect(lines).toHaveCount(3);
    // What was found stands elsewhere, as it should. To the browser that is no shift soon after a key, and it may come later.
    findings.shifts.length = 0;

    await page.getByRole('button', { name: 'Pause' }).click();
    await expect(page.getByText('Paused', { exact: true })).toBeVisible();
    await send(server, 1, '/api/things/424242');
    await page.waitForTimeout(1_000);
    await expect(lines).toHaveCount(3);
    await page.getByRole('button', { name: 'Resume' }).click();
    await expect(lines).toHaveCount(4);
    await lines.first().getByRole('button').click();
    await expect(page.getByRole('dialog').getByRole('region', { name: 'Fields' })).toContainText('404');
    await look(page, 'operations-line');
  });

  test('silences an alert with a comment, and ends it', async ({ page }) => {
    await page.getByRole('link', { name: 'Alerts' }).click();
    await expect(row(page, 'Alert rules', 'High error rate')).toContainText('OK');
    await page.getByRole('button', { name: 'Silence high error rate' }).click();
    await look(page, 'operations-silence');
    await page.getByLabel('Reason').fill('A release is under way');
    await page.getByRole('dialog').getByRole('button', { name: 'Silence' }).click();
    await expect(row(page, 'Silences', 'A release is under way')).toContainText('High error rate');
    await look(page, 'operations-alerts');
    await page.getByRole('button', { name: 'End the silence of high error rate' }).click();
    await expect(page.getByText('No silences')).toBeVisible();
  });

  test('shows what is set and what production needs, and changes the log’s level for a while', async ({
    page,
  }) => {
    await page.getByRole('link', { name: 'Settings' }).click();
    await expect(page.getByText(/failed, \d+ warnings/)).toBeVisible();
    await expect(page.getByRole('group', { name: 'Time range' })).toHaveCount(0);
    await expect(page.getByRole('main')).not.toContainText('`');
    await page.getByLabel('Level', { exact: true }).selectOption('debug');
    await page.getByRole('button', { name: 'Change' }).click();
    await expect(page.getByText(/debug until \d\d:\d\d:\d\d, then info again/)).toBeVisible();
    await look(page, 'operations-settings');
    await page.getByLabel('Filter: Configuration').fill('INTERNAL_API_KEY');
    await expect(row(page, 'Configuration', 'INTERNAL_API_KEY').first()).toBeVisible();
    expect(await page.content()).not.toContain(KEY);
  });

  test('the palette leads to each view', async ({ page }) => {
    await page.keyboard.press('Control+k');
    await page.keyboard.type('operations logs');
    await page.keyboard.press('Enter');
    await expect(heading(page, 'Logs')).toBeVisible();
    await expect(page).toHaveURL(/\/ops\/logs$/);
  });
});

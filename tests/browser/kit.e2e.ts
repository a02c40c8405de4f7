/**
 * Every part of the kit, in a build that has the kit's page, served by the real server under production's policy.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Locator, Page } from '@playwright/test';
import { createBuilder } from 'vite';
import { type CopiedBuild, copyBuild } from '../support/build.ts';
import { ROOT, type SpawnedServer } from '../support/server.ts';
import { expect, look, test } from './fixtures.ts';

// Hundreds of parts change their colours with the theme: without motion there is nothing to wait for.
test.use({ contextOptions: { reducedMotion: 'reduce' } });
// The longest file of all, and nearly the last: each worker takes a half.
test.describe.configure({ mode: 'parallel' });

const KEY = randomBytes(32).toString('base64url');
let build: CopiedBuild;
let server: SpawnedServer;

test.beforeAll(async ({ backend }) => {
  build = await copyBuild();
  const builder = await createBuilder({
    configFile: join(ROOT, 'vite.config.ts'),
    mode: 'kit',
    logLevel: 'error',
    environments: { client: { build: { outDir: join(build.folder, 'client') } } },
  });
  await builder.build(builder.environments.client as NonNullable<typeof builder.environments.client>);
  server = await backend.start({ INTERNAL_API_KEY: KEY }, { main: build.main });
  await server.ready();
});
test.afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await build[Symbol.asyncDispose]();
});

/** Opens the kit's page at one of its groups. */
async function open(page: Page, group: string) {
  await page.goto(`${server.url}/kit#${group}`);
  await expect(page.getByRole('tab', { name: group, selected: true })).toBeVisible();
}

const sample = (page: Page, name: string) => page.getByRole('region', { name, exact: true });

/** What lies over the page, or one sample: the rest is looked at by the first test. */
const lookAt = (page: Page, name: string, within: string) =>
  look(page, `kit-${name}`, { within, widths: [360, 1440] });

const OVERLAY = '[role=dialog], [role=alertdialog], [role=menu], [role=listbox]';

/** Opens by keyboard, is looked at, closes by `Esc`, and the focus is where it was. */
async function openAndClose(page: Page, opener: Locator, overlay: Locator, name: string) {
  await opener.press('Enter');
  await expect(overlay).toBeVisible();
  await lookAt(page, name, OVERLAY);
  await page.keyboard.press('Escape');
  await expect(overlay).toBeHidden();
  await expect(opener).toBeFocused();
}

for (const group of ['Actions', 'Forms', 'Overlays', 'Feedback', 'Data', 'Records', 'Charts']) {
  test(`${group} at rest, with the code that uses each part`, async ({ page }) => {
    await open(page, group);
    const samples = page.locator('section:has(> details)');
    await expect.poll(() => samples.count()).toBeGreaterThan(2);
    for (const one of await samples.all()) {
      await one.locator('summary').click();
      expect(await one.locator('details pre').textContent()).toMatch(/^<(?:[A-Z]|span|div|code)/);
    }
    await look(page, `kit-${group.toLowerCase()}`);
  });
}

test('the policy under test refuses strings as HTML', async ({ page, findings }) => {
  await open(page, 'Actions');
  const refused = await page.evaluate(() => {
    try {
      document.createElement('div').innerHTML = '<b>no</b>';
      return false;
    } catch {
      return true;
    }
  });
  expect(refused).toBe(true);
  await expect
    .poll(() => findings.policy.splice(0))
    .toEqual([expect.stringContaining('require-trusted-types-for')]);
  findings.console.splice(0);
});

test('menus, dialogs and lists open and close by keyboard', async ({ page }) => {
  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const dialog = (name: string) => page.getByRole('dialog', { name });
  await open(page, 'Actions');
  await openAndClose(page, button('Actions'), page.getByRole('menu'), 'menu');
  await openAndClose(page, button('Account of Ada Lovelace'), page.getByRole('menu'), 'user-menu');
  await openAndClose(page, button('Open palette'), dialog('Commands'), 'palette');

  await open(page, 'Overlays');
  await openAndClose(page, button('Rename project'), dialog('Rename project'), 'dialog');
  await openAndClose(page, button('Revoke key'), page.getByRole('alertdialog'), 'confirm');
  await openAndClose(page, button('Show details'), dialog('Request'), 'sheet');
  await openAndClose(page, button('Share'), dialog('Share this note'), 'popover');
  await button('About these figures').focus();
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Tab');
  await expect(page.getByText('Figures of the last 15 minutes', { exact: true })).toBeVisible();
  await lookAt(page, 'tooltip', 'section[aria-label=Tooltip]');

  await open(page, 'Forms');
  const select = sample(page, 'Select').getByRole('combobox', { name: 'Role' });
  await openAndClose(page, select, page.getByRole('listbox'), 'select');
  await open(page, 'Data');
  const columns = sample(page, 'Data table').getByRole('button', { name: 'Columns' });
  await openAndClose(page, columns, page.getByRole('menu'), 'columns');
  await open(page, 'Charts');
  await openAndClose(page, button('Duration as a table'), dialog('Duration'), 'chart-table');
});

test('a dialog begins at its first field, and keeps what was typed when a selection ends beside it', async ({
  page,
}) => {
  await open(page, 'Overlays');
  await page.getByRole('button', { name: 'Rename project' }).click();
  const dialog = page.getByRole('dialog', { name: 'Rename project' });
  const field = dialog.getByRole('textbox', { name: 'Name' });
  await expect(field).toBeFocused();
  await field.fill('Half a thought');
  const box = await field.boundingBox();
  if (!box) throw new Error('the field has no box');
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(5, 5, { steps: 4 });
  await page.mouse.up();
  await expect(field).toHaveValue('Half a thought');

  const audience = dialog.getByRole('combobox', { name: 'Visible to' });
  await audience.click();
  await page.getByRole('option', { name: 'Everyone' }).click();
  await expect(audience).toHaveText('Everyone');
  await expect(page.getByRole('listbox')).toBeHidden();
  await expect(field).toHaveValue('Half a thought');
  await page.mouse.click(5, 5);
  await expect(dialog).toBeHidden();
});

test('what cannot be undone is confirmed by its name, and says why it failed', async ({ page }) => {
  await open(page, 'Overlays');
  await page.getByRole('button', { name: 'Delete project' }).click();
  const dialog = page.getByRole('alertdialog', { name: 'Delete this project?' });
  const confirm = dialog.getByRole('button', { name: 'Delete project' });
  await expect(dialog.getByRole('textbox')).toBeFocused();
  await expect(confirm).toBeDisabled();
  await page.keyboard.type('flightlin');
  await page.keyboard.press('Enter');
  await expect(confirm).toBeDisabled();
  await page.keyboard.type('e');
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('alert')).toContainText('The project has an unpaid invoice.');
  await lookAt(page, 'confirm-failed', OVERLAY);
  // A press beside it is no answer.
  await page.mouse.click(5, 5);
  await expect(dialog).toBeVisible();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(dialog).toBeHidden();
});

test('messages come in every variant, and an action closes its message', async ({ page }) => {
  await open(page, 'Overlays');
  const toasts = sample(page, 'Toast');
  const messages = page.getByRole('region', { name: 'Messages' });
  await toasts.getByRole('button', { name: 'With an action' }).click();
  await expect(messages).toContainText('Deleted “Plan”');
  await messages.getByRole('button', { name: 'Undo' }).click();
  await expect(messages).not.toContainText('Deleted “Plan”');
  await expect(messages).toContainText('Restored “Plan”');
  for (const name of ['Warning', 'Error']) await toasts.getByRole('button', { name }).press('Enter');
  await expect(messages).toContainText('The server cannot be reached.');
  // They stay while one of them has the focus.
  await page.keyboard.press('F6');
  await messages.getByRole('button', { name: 'Dismiss' }).first().focus();
  await lookAt(page, 'toasts', '[aria-label=Messages]');
});

test('fields: the server’s message, a shown password, a pasted code, a number, a city, a file', async ({
  page,
}) => {
  await open(page, 'Forms');
  await sample(page, 'Form and field').getByLabel('Title').fill('A title');
  await sample(page, 'Form and field').getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('textbox', { name: 'Title' })).toHaveAccessibleDescription(/Is taken\./);

  const native = await page.getByRole('combobox', { name: 'Time range' }).boundingBox();
  const button = await page.getByRole('button', { name: 'Of the same height' }).boundingBox();
  expect(native?.height).toBe(button?.height);
  // Nine steps of the grid.
  expect(button?.height).toBe(36);

  const password = page.getByLabel('Password', { exact: true });
  await page.getByRole('button', { name: 'Show password' }).click();
  await expect(password).toHaveAttribute('type', 'text');

  const code = sample(page, 'One-time code').getByRole('textbox');
  await code.first().focus();
  await page.keyboard.type('123456');
  await expect(code.last()).toHaveValue('6');

  const seats = page.getByRole('textbox', { name: 'Seats' });
  await seats.press('ArrowUp');
  await expect(seats).toHaveValue('4');

  const city = page.getByRole('combobox', { name: 'City' });
  await city.fill('ki');
  await expect(page.getByText('No matches.')).toBeVisible();
  await city.fill('mon');
  await expect(page.getByRole('option')).toHaveText(['Montréal']);
  await lookAt(page, 'combobox', OVERLAY);
  await city.press('ArrowDown');
  await city.press('Enter');
  await expect(city).toHaveValue('Montréal');

  const drop = page.getByLabel('Drop files here, or choose');
  await drop.setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no') });
  await expect(page.getByText('Not accepted: notes.txt.')).toBeVisible();
  await drop.setInputFiles({ name: 'face.png', mimeType: 'image/png', buffer: Buffer.from('yes') });
  await expect(page.getByText('face.png')).toBeVisible();
  await page.getByRole('button', { name: 'Remove face.png' }).click();
  await expect(page.getByText('face.png')).toBeHidden();
});

test('a data table is sorted both ways, filtered, narrowed, and its rows selected', async ({ page }) => {
  await open(page, 'Data');
  const part = sample(page, 'Data table');
  const first = part.locator('tbody tr').first();
  await part.getByRole('button', { name: 'Requests' }).click();
  await expect(first).toContainText('POST /api/notes');
  await expect(part.getByRole('columnheader', { name: 'Requests' })).toHaveAttribute(
    'aria-sort',
    'ascending',
  );
  await part.getByRole('button', { name: 'Requests' }).click();
  await expect(first).toContainText('1,284');

  await part.getByRole('searchbox').fill('patch notes');
  await expect(part.locator('tbody tr')).toHaveCount(1);
  await part.getByRole('searchbox').fill('nothing');
  await expect(part.getByText('No matching rows.')).toBeVisible();
  await part.getByRole('searchbox').fill('');

  await part.getByRole('button', { name: 'Columns' }).click();
  await page.getByRole('menuitemcheckbox', { name: 'p95' }).click();
  await page.keyboard.press('Escape');
  await expect(part.getByRole('columnheader', { name: 'p95' })).toHaveCount(0);

  await part.getByRole('checkbox', { name: 'Select GET /', exact: true }).click();
  await expect(part.getByText('1 selected')).toBeVisible();
  await lookAt(page, 'selected', 'section[aria-label="Data table"]');
  await part.getByRole('checkbox', { name: 'Select all rows' }).click();
  await part.getByRole('button', { name: 'Export' }).click();
  await expect(page.getByRole('region', { name: 'Messages' })).toContainText('Exported 4 routes');
});

test('charts share one cursor, and zoom by dragging and by keyboard', async ({ page }) => {
  await open(page, 'Charts');
  const slider = page.getByRole('slider', { name: 'Duration, moment shown' });
  const other = page.getByRole('slider', { name: 'Writes, moment shown' });
  await slider.focus();
  const end = Number(await slider.getAttribute('aria-valuemax'));
  await page.keyboard.press('ArrowLeft');
  await expect(other).toHaveAttribute('aria-valuenow', String(end - 15_000));
  for (let step = 0; step < 9; step += 1) await page.keyboard.press('Shift+ArrowLeft');
  await page.keyboard.press('Enter');
  await expect(other).toHaveAttribute('aria-valuemax', String(end - 15_000));
  await expect(other).toHaveAttribute('aria-valuemin', String(end - 10 * 15_000));
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await expect(other).toHaveAttribute('aria-valuemax', String(end));

  await slider.scrollIntoViewIfNeeded();
  const box = await slider.boundingBox();
  if (!box) throw new Error('the chart has no box');
  await page.mouse.move(box.x + box.width / 4, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2, box.y + 50, { steps: 3 });
  await page.mouse.up();
  await expect.poll(async () => Number(await other.getAttribute('aria-valuemax'))).toBeLessThan(end);
  await slider.dblclick();
  await expect(other).toHaveAttribute('aria-valuemax', String(end));
});

test('Markdown is text: no HTML, no script, no images; foreign links are marked', async ({ page }) => {
  await open(page, 'Data');
  const part = sample(page, 'Markdown');
  await expect(part).toContainText('<script>alert(1)</script>');
  await expect(part.getByText('a trap')).toBeVisible();
  expect(
    await part
      .getByRole('link')
      .evaluateAll((links) => links.map((link) => (link as HTMLAnchorElement).href)),
  ).toEqual([`${server.url}/docs`, 'https://www.postgresql.org/docs/']);
  await expect(part.getByRole('link', { name: /manual/ })).toHaveAttribute('rel', /noopener noreferrer/);
});

test('an answer that is being written is followed, and can be stopped', async ({ page }) => {
  await page.clock.install();
  await open(page, 'Data');
  const part = sample(page, 'Chat');
  // From here on time passes by `runFor` alone: the answer is written within a second.
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1_000));
  await part.getByRole('textbox', { name: 'Message' }).fill('And now?');
  await page.keyboard.press('Enter');
  await expect(part.getByRole('article', { name: 'You' }).last()).toHaveText('And now?');
  const answer = part.getByRole('article', { name: 'Assistant' }).last();
  await page.clock.runFor(120);
  await expect(answer).toContainText('The pool was');
  await part.getByRole('button', { name: 'Stop' }).click();
  await page.clock.runFor(2_000);
  await expect(part.getByRole('log')).toHaveAttribute('aria-busy', 'false');
  await expect(answer).not.toContainText('exhausted');
  await expect(part.getByRole('button', { name: 'Send' })).toBeDisabled();
});

test('on a phone the bar has five entries, and More the rest', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.request.post(`${server.url}/api/operations/session`, { data: { key: KEY } });
  // As the page before has left it.
  await page.addInitScript(() => localStorage.setItem('operator', 'yes'));
  await open(page, 'Actions');
  const entries = page.getByRole('banner').locator('a:visible, button:visible');
  const more = page.getByRole('button', { name: 'More' });
  const last = page.getByRole('link', { name: 'Kit' });
  await expect(more).toBeVisible();
  const screens = await page.getByRole('navigation', { name: 'Main' }).locator('a').count();
  test.skip(screens <= 3, 'the bar has room for all screens');
  await expect(entries).toHaveCount(5);
  await more.press('Enter');
  await expect(more).toHaveAttribute('aria-expanded', 'true');
  await expect(last).toBeVisible();
  await look(page, 'more', { within: 'header', widths: [360] });
  await page.keyboard.press('Escape');
  await expect(last).toBeHidden();
  await expect(more).toBeFocused();

  await more.click();
  await page.getByRole('button', { name: 'Dark' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.getByRole('button', { name: 'System' }).click();
  await last.click();
  await expect(last).toBeHidden();
  await more.click();
  await page.mouse.click(180, 100);
  await expect(last).toBeHidden();
});

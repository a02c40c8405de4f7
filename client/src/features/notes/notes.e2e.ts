import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from '@playwright/test';
import { expect, gate, look, resize, test, withoutEvents } from '../../../../tests/browser/fixtures.ts';
import { query } from '../../../../tests/support/postgres.ts';
import { ROOT } from '../../../../tests/support/server.ts';

const list = (page: Page) => page.getByRole('region', { name: 'List of notes' });
const row = (page: Page, title: string) => list(page).getByRole('link', { name: title });

/** Leaves the table with these notes alone, the first one the newest. */
async function only(databaseUrl: string, owner: string, notes: { title: string; body?: string }[]) {
  await query(databaseUrl, 'TRUNCATE notes RESTART IDENTITY');
  for (const { title, body = '' } of notes.toReversed()) {
    await query(databaseUrl, 'INSERT INTO notes (owner_id, title, body) VALUES ($1, $2, $3)', [
      owner,
      title,
      body,
    ]);
  }
}

const SOME = [
  { title: 'Release checklist', body: 'Tag the version, then watch the error rate for an hour.' },
  { title: 'Ideas for the offsite', body: 'A walk along the river. No slides.' },
  { title: 'On-call hand-over', body: 'Nothing burns. The disk of db-2 is at 71 %.' },
  { title: 'Reading list', body: 'Designing Data-Intensive Applications\nThe Art of PostgreSQL' },
  { title: 'A title that is rather long, as titles are when nobody has thought about them yet' },
];

test.beforeEach(({ backend, visitor }) => only(backend.databaseUrl, visitor.id, SOME));

test('shows the list, and a note beside it or after it', async ({ page }) => {
  await page.goto('/notes');
  await expect(row(page, 'Release checklist')).toBeVisible();
  await expect(page).toHaveTitle(/^Notes/);
  await look(page, 'notes-list');
  await row(page, 'Release checklist').click();
  await expect(page.getByLabel('Title')).toHaveValue('Release checklist');
  await expect(page).toHaveURL(/\/notes\/\d+$/);
  await expect(page).toHaveTitle(/^Release checklist/);
  await look(page, 'note-open');

  await resize(page, { width: 360, height: 740 });
  await expect(list(page)).toBeHidden();
  await page.getByRole('region', { name: 'Note' }).getByRole('link', { name: 'Notes' }).click();
  await expect(row(page, 'Release checklist')).toBeVisible();
  await expect(page).toHaveTitle(/^Notes/);
});

test('the notes stay within their budget of script', async ({ page }) => {
  const scripts = new Set<string>();
  page.on('response', (response) => {
    if (response.request().resourceType() === 'script') scripts.add(new URL(response.url()).pathname);
  });
  await page.goto('/notes/2');
  await expect(page.getByLabel('Title')).toHaveValue('Reading list');
  const sizes = [...scripts].map(
    (path) => gzipSync(readFileSync(join(ROOT, 'dist', 'client', path)), { level: 9 }).length,
  );
  const bytes = sizes.reduce((all, size) => all + size, 0);
  test.info().annotations.push({ type: 'script of the notes, bytes', description: String(bytes) });
  expect(scripts.size).toBeGreaterThan(2);
  expect(bytes).toBeLessThan(140 * 1024);
});

test('an empty list says what to do, and the first note is created in place', async ({
  page,
  backend,
  visitor,
}) => {
  await only(backend.databaseUrl, visitor.id, []);
  await page.goto('/notes');
  await expect(page.getByRole('heading', { name: 'No notes yet' })).toBeVisible();
  await look(page, 'notes-empty');
  await page.getByRole('button', { name: 'Write the first note' }).click();
  await expect(page.getByLabel('Title of the new note')).toBeFocused();
  await look(page, 'notes-new');
  await page.keyboard.type('First');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/notes\/1$/);
  await expect(row(page, 'First')).toBeVisible();
  await expect(page.getByLabel('Text')).toBeFocused();
});

test('is worked by keyboard alone: new, write, save, search, go through, delete, undo', async ({
  page,
  backend,
}) => {
  // An event that comes after the note was deleted would read it in vain.
  await withoutEvents(page);
  await page.clock.install();
  await page.goto('/notes');
  await expect(row(page, 'Release checklist')).toBeVisible();
  await page.keyboard.press('n');
  await expect(page.getByLabel('Title of the new note')).toBeFocused();
  await page.keyboard.type('Written by keyboard');
  await page.keyboard.press('Enter');
  await expect(page.getByLabel('Text')).toBeFocused();
  // No time passes, so that nothing but the keys saves.
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1_000));
  await page.keyboard.type('No mouse was touched.');
  await page.keyboard.press('Control+s');
  await expect(async () => {
    const { rows } = await query(
      backend.databaseUrl,
      `SELECT body, version FROM notes WHERE title = 'Written by keyboard'`,
    );
    expect(rows).toEqual([{ body: 'No mouse was touched.', version: 2 }]);
  }).toPass();
  await page.clock.resume();
  await expect(page.getByText('Saved just now')).toBeVisible();

  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await expect(page).toHaveURL(/\/notes$/);
  await expect(row(page, 'Written by keyboard')).toBeFocused();
  await page.keyboard.press('/');
  await expect(page.getByRole('searchbox', { name: 'Search notes' })).toBeFocused();
  await page.keyboard.type('read');
  await expect(page).toHaveURL(/\?search=read$/);
  await expect(list(page).getByRole('listitem')).toHaveCount(1);
  await page.keyboard.press('Escape');
  await expect(list(page).getByRole('listitem')).toHaveCount(6);
  await expect(page.getByRole('searchbox')).toHaveValue('');
  await page.keyboard.press('ArrowDown');
  await expect(row(page, 'Written by keyboard')).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(row(page, 'Release checklist')).toBeFocused();
  await page.keyboard.press('End');
  await expect(row(page, 'A title that is rather long')).toBeFocused();
  await page.keyboard.press('Home');
  await expect(row(page, 'Written by keyboard')).toBeFocused();

  await page.keyboard.press('Delete');
  await expect(row(page, 'Written by keyboard')).toHaveCount(0);
  await expect(row(page, 'Release checklist')).toBeFocused();
  await expect(page.getByText('Deleted “Written by keyboard”')).toBeVisible();
  // While it has the focus, it stays.
  await page.getByRole('button', { name: 'Undo' }).focus();
  await look(page, 'notes-deleted');
  await page.getByRole('button', { name: 'Undo' }).press('Enter');
  await expect(list(page).getByRole('listitem').first()).toContainText('Written by keyboard');
});

test('undo is offered for 8 s', async ({ page }) => {
  const undo = page.getByRole('button', { name: 'Undo' });
  await page.clock.install();
  await page.goto('/notes/1');
  await expect(page.getByLabel('Title')).toHaveValue(/^A title/);
  // From here on time passes by `runFor` alone, however slow the machine is.
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1_000));
  await page.getByRole('button', { name: 'Delete this note' }).click();
  await page.mouse.move(5, 5);
  await expect(async () => {
    await page.clock.runFor(50);
    expect(await undo.isVisible()).toBe(true);
  }).toPass();
  await expect(page.getByText(/^Deleted “A title/)).toBeVisible();
  await page.clock.runFor(7_500);
  await expect(undo).toBeVisible();
  await page.clock.runFor(1_000);
  await expect(undo).toBeHidden();
});

test('searches as one types: no request a letter, an address to share, and a way out of nothing found', async ({
  page,
}) => {
  // The list is read once more when events arrive, which may be after the search.
  await withoutEvents(page);
  await page.clock.install();
  await page.goto('/notes');
  await expect(row(page, 'Release checklist')).toBeVisible();
  const asked: string[] = [];
  page.on('request', (request) => {
    const search = new URL(request.url()).searchParams.get('search');
    if (request.url().includes('/api/notes') && search) asked.push(search);
  });
  // Typed within one moment, however long that takes here.
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 5_000));
  await page.getByRole('searchbox').pressSequentially('postgresql');
  await page.clock.resume();
  await expect(list(page).getByRole('listitem')).toHaveCount(1);
  await expect(row(page, 'Reading list')).toBeVisible();
  expect(asked).toEqual(['postgresql']);

  await page.reload();
  await expect(page.getByRole('searchbox')).toHaveValue('postgresql');
  await expect(list(page).getByRole('listitem')).toHaveCount(1);
  await page.getByRole('searchbox').fill('zeppelin');
  await expect(page.getByRole('heading', { name: 'Nothing has the words “zeppelin”' })).toBeVisible();
  await look(page, 'notes-nothing-found');
});

test.describe('when something goes wrong', () => {
  test.use({ failedRequests: true });

  test('a refused note is not in the list, and its title stays in the box', async ({ page }) => {
    await page.goto('/notes?new=true');
    const box = page.getByLabel('Title of the new note');
    await expect(row(page, 'Release checklist')).toBeVisible();
    // What no page lets through, a stranger's script or an older page may send: the server's own refusal is shown.
    await box.evaluate((input: HTMLInputElement) => {
      input.removeAttribute('maxlength');
      input.closest('form')?.setAttribute('novalidate', '');
    });
    await box.fill('x'.repeat(201));
    await box.press('Enter');
    await expect(box).toHaveAttribute('aria-invalid', 'true');
    await expect(box).toHaveValue('x'.repeat(201));
    await expect(list(page).getByRole('listitem')).toHaveCount(SOME.length);
    await look(page, 'notes-refused');
  });

  test('a deleted note of a shared address can be restored', async ({ page, backend }) => {
    await query(backend.databaseUrl, 'UPDATE notes SET deleted_at = now() WHERE id = 2');
    await page.goto('/notes/2');
    await expect(page.getByRole('heading', { name: 'This note does not exist' })).toBeVisible();
    await look(page, 'note-gone');
    await page.getByRole('button', { name: 'Restore it' }).click();
    await expect(page.getByLabel('Title')).toHaveValue('Reading list');
    await expect(row(page, 'Reading list')).toBeVisible();
  });

  test('without a database it says so, and works again when asked again', async ({ page, backend }) => {
    const way = await gate(backend.databaseUrl);
    await way.open();
    await using server = await backend.start({ DATABASE_URL: way.url });
    await server.ready();
    way.close();
    await page.goto(`${server.url}/notes`);
    await expect(page.getByRole('alert')).toBeVisible();
    await look(page, 'notes-error');
    await way.open();
    await expect(async () => {
      const again = page.getByRole('button', { name: 'Try again' });
      // It is gone as soon as the notes are there, which may be while it is being looked for.
      if (await again.isVisible()) await again.click({ timeout: 500 }).catch(() => {});
      await expect(row(page, 'Release checklist')).toBeVisible({ timeout: 500 });
    }).toPass();
    way.close();
  });

  test('a read that is told to come later comes once more, a write does not', async ({ page }) => {
    // The list is read once more when events arrive.
    await withoutEvents(page);
    const asked: string[] = [];
    await page.route('**/api/notes**', async (route) => {
      const method = route.request().method();
      asked.push(method);
      if (method === 'GET' && asked.length > 1) return route.continue();
      const problem = {
        type: '/problems/unavailable',
        title: 'Service unavailable',
        status: 503,
        instance: '/api/notes',
        requestId: 'asked-too-early',
      };
      return route.fulfill({
        status: 503,
        headers: { 'retry-after': '1', 'content-type': 'application/problem+json' },
        body: JSON.stringify(problem),
      });
    });
    await page.goto('/notes?new=true');
    await expect(row(page, 'Release checklist')).toBeVisible();
    expect(asked).toEqual(['GET', 'GET']);

    const box = page.getByLabel('Title of the new note');
    await box.fill('Kept');
    await box.press('Enter');
    await expect(page.getByRole('alert')).toContainText('asked-too-early');
    await page.waitForTimeout(1_500);
    expect(asked).toEqual(['GET', 'GET', 'POST']);
    await expect(box).toHaveValue('Kept');
    await expect(row(page, 'Kept')).toHaveCount(0);
  });
});

test('a screen that is slow to come shows a line of progress, and the one before stays until it is there', async ({
  page,
}) => {
  const late = Promise.withResolvers<void>();
  await page.route('**/assets/notes-screen-*.js', async (route) => {
    await late.promise;
    await route.continue();
  });
  await page.goto('/');
  await expect(page.getByText('Welcome.')).toBeVisible();
  await page.getByRole('navigation').getByRole('link', { name: 'Notes' }).click();
  await expect(page.getByRole('progressbar', { name: 'Loading' })).toBeVisible();
  await expect(page.getByText('Welcome.')).toBeVisible();
  late.resolve();
  await expect(row(page, 'Reading list')).toBeVisible();
  await expect(page.getByRole('progressbar')).toHaveCount(0);
});

test('on a slow network the shape comes first, and nothing jumps when the words arrive', async ({ page }) => {
  const late = Promise.withResolvers<void>();
  await page.route('**/api/notes**', async (route) => {
    await late.promise;
    await route.continue();
  });
  await page.goto('/notes/2');
  await expect(list(page).locator('[aria-busy=true]')).toBeVisible();
  await resize(page, { width: 1440, height: 900 });
  await page.screenshot({ path: 'screenshots/notes-loading-1440.png' });
  late.resolve();
  await expect(page.getByLabel('Title')).toHaveValue('Reading list');
  await expect(row(page, 'Reading list')).toBeVisible();
});

test('of 100,000 notes those in sight are rows, however far the list scrolls', async ({
  page,
  backend,
  visitor,
}) => {
  await query(
    backend.databaseUrl,
    `INSERT INTO notes (owner_id, title, body) SELECT $1, 'Note ' || n, 'The text of note ' || n FROM generate_series(1, 100000) n`,
    [visitor.id],
  );
  await page.goto('/notes');
  await expect(list(page).getByRole('listitem').first()).toContainText('Note 100000');
  // 40 rows a frame. What a frame costs follows from how many rows there are.
  const { mostRows, slowestMs } = await page.evaluate(async () => {
    const scroller = document.querySelector('[data-scroll-restoration-id=notes]') as HTMLElement;
    let [mostRows, slowestMs, last] = [0, 0, performance.now()];
    while (scroller.scrollTop < 300_000) {
      scroller.scrollTop += 3_000;
      const now = await new Promise<number>(requestAnimationFrame);
      slowestMs = Math.max(slowestMs, now - last);
      mostRows = Math.max(mostRows, scroller.querySelectorAll('li').length);
      last = now;
    }
    return { mostRows, slowestMs };
  });
  test.info().annotations.push({ type: 'slowest frame, ms', description: String(Math.round(slowestMs)) });
  expect(mostRows).toBeGreaterThan(5);
  expect(mostRows).toBeLessThan(100);
});

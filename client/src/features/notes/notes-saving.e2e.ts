import type { Page } from '@playwright/test';
import { expect, look, readAgain, resize, test, withoutEvents } from '../../../../tests/browser/fixtures.ts';
import { query } from '../../../../tests/support/postgres.ts';

const row = (page: Page, title: string) =>
  page.getByRole('region', { name: 'List of notes' }).getByRole('link', { name: title });
const text = (page: Page) => page.getByLabel('Text');
const SAVED = /^Saved /;
const OFFLINE = 'Offline. Saved in this browser; it will be sent when the server is back.';

test.beforeEach(async ({ backend, visitor }) => {
  await query(backend.databaseUrl, 'TRUNCATE notes RESTART IDENTITY');
  await query(
    backend.databaseUrl,
    `INSERT INTO notes (owner_id, title, body) VALUES ($1, 'Reading list', 'Designing Data-Intensive Applications')`,
    [visitor.id],
  );
});

const stored = async (databaseUrl: string) =>
  (await query(databaseUrl, 'SELECT title, body, version FROM notes WHERE id = 1')).rows[0];

/** What another person does, without an event. */
const change = (databaseUrl: string, column: 'title' | 'body', to: string) =>
  query(
    databaseUrl,
    `UPDATE notes SET ${column} = $1, version = version + 1, updated_at = now() WHERE id = 1`,
    [to],
  );

/** The changes that the page sends from now on. */
function changes(page: Page) {
  const sent: unknown[] = [];
  page.context().on('request', (request) => {
    if (request.method() === 'PATCH') sent.push(request.postDataJSON());
  });
  return sent;
}

test('a note saves itself a second after typing stops, once', async ({ page, backend }) => {
  await page.goto('/notes/1');
  await expect(text(page)).toHaveValue(/^Designing/);
  const sent = changes(page);
  await page.clock.install();
  // From here on time passes by `runFor` alone, however slow the machine is.
  await page.clock.pauseAt(Date.now() + 1_000);
  await text(page).fill('One');
  await expect(page.getByText('Saving…')).toBeVisible();
  await page.clock.runFor(900);
  await text(page).fill('One, two');
  await page.clock.runFor(900);
  expect(sent).toEqual([]);
  await page.clock.runFor(200);
  await page.clock.resume();
  await expect(page.getByText(SAVED)).toBeVisible();
  expect(sent).toEqual([{ body: 'One, two' }]);
  expect(await stored(backend.databaseUrl)).toMatchObject({ body: 'One, two', version: 2 });
  await expect(row(page, 'Reading list')).toContainText('One, two');
});

test('it is saved when it is left: for another screen, another tab, or by a closed tab', async ({
  page,
  backend,
}) => {
  await page.goto('/notes/1');
  await text(page).fill('For another screen');
  await page.getByRole('link', { name: 'Home' }).click();
  await expect.poll(() => stored(backend.databaseUrl)).toMatchObject({ body: 'For another screen' });
  await page.goBack();
  await expect(text(page)).toHaveValue('For another screen');
  await text(page).fill('By a closed tab');
  await page.close();
  await expect.poll(() => stored(backend.databaseUrl)).toMatchObject({ body: 'By a closed tab', version: 3 });
});

test('events of what it wrote itself change nothing that is typed, and read nothing again', async ({
  page,
}) => {
  const again = readAgain(page, '/api/notes');
  await page.goto('/notes/1');
  await expect(text(page)).toHaveValue(/^Designing/);
  await again;
  await text(page).fill('');
  let reads = 0;
  page.on('request', (request) => {
    if (request.method() === 'GET' && /\/api\/notes\/1$/.test(request.url())) reads += 1;
  });
  await text(page).evaluate((box: HTMLTextAreaElement) => {
    const seen: string[] = [];
    Object.assign(window, { seen });
    const look = () => {
      if (seen.at(-1) !== box.value) seen.push(box.value);
      requestAnimationFrame(look);
    };
    look();
  });
  const sent = changes(page);
  let body = '';
  for (const part of ['one ', 'two ', 'three']) {
    await text(page).pressSequentially(part);
    body += part;
    await expect.poll(() => sent.at(-1)).toEqual({ body });
  }
  await expect(page.getByText(SAVED)).toBeVisible();
  const { length } = sent;
  // An event of another note comes after all of its own.
  await page.evaluate(() =>
    fetch('/api/notes', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"title":"Another"}',
    }),
  );
  await expect(row(page, 'Another')).toBeVisible();
  const seen = await page.evaluate(() => (window as unknown as { seen: string[] }).seen);
  for (const [index, value] of seen.entries()) expect(value.startsWith(seen[index - 1] ?? '')).toBe(true);
  expect(seen.at(-1)).toBe('one two three');
  expect(reads).toBe(0);
  expect(sent).toHaveLength(length);
});

test.describe('when something goes wrong', () => {
  test.use({ failedRequests: true });

  test('a conflict shows both versions in line, and either can stay', async ({ page, backend }) => {
    await withoutEvents(page);
    await page.goto('/notes/1');
    await expect(text(page)).toHaveValue(/^Designing/);
    await change(backend.databaseUrl, 'body', 'Theirs\nwith a second line');
    await text(page).fill('Mine');
    await expect(page.getByRole('alert')).toContainText('Another person saved this note');
    const theirs = page.getByRole('region', { name: 'Theirs, on the server' });
    const mine = page.getByRole('region', { name: 'Yours, not saved yet' });
    await expect(theirs).toContainText('with a second line');
    await expect(text(page)).toHaveValue('Mine');
    await expect(page.getByText('Not saved: another person changed it.')).toBeVisible();
    await look(page, 'note-conflict');
    await resize(page, { width: 1440, height: 900 });
    for (const label of ['Title', 'Text']) {
      const left = await theirs
        .getByText(label, { exact: true })
        .locator('xpath=following-sibling::*')
        .boundingBox();
      const right = await mine.getByLabel(label).boundingBox();
      expect({ y: left?.y, height: left?.height }).toEqual({ y: right?.y, height: right?.height });
    }
    await text(page).fill('Mine\nwith a second line');
    await page.getByRole('button', { name: 'Save mine over theirs' }).click();
    await expect(page.getByText(SAVED)).toBeVisible();
    expect(await stored(backend.databaseUrl)).toMatchObject({ body: 'Mine\nwith a second line', version: 3 });

    await change(backend.databaseUrl, 'body', 'Theirs again');
    await text(page).fill('Mine again');
    await page.getByRole('button', { name: 'Take theirs, discard mine' }).click();
    await expect(text(page)).toHaveValue('Theirs again');
    expect(await stored(backend.databaseUrl)).toMatchObject({ body: 'Theirs again', version: 4 });
  });

  test('a change of another field by another person is merged', async ({ page, backend }) => {
    await withoutEvents(page);
    await page.goto('/notes/1');
    await expect(text(page)).toHaveValue(/^Designing/);
    await change(backend.databaseUrl, 'title', 'Their title');
    await text(page).fill('My text');
    await expect(page.getByLabel('Title')).toHaveValue('Their title');
    await expect(page.getByText(SAVED)).toBeVisible();
    expect(await stored(backend.databaseUrl)).toEqual({ title: 'Their title', body: 'My text', version: 3 });
  });

  test('a title that the contract refuses says so, is kept, and is saved once it is right', async ({
    page,
    backend,
  }) => {
    await page.goto('/notes/1');
    await expect(text(page)).toHaveValue(/^Designing/);
    await page.getByLabel('Title').fill(' ');
    await expect(page.getByText('Not saved: A note needs a title.')).toBeVisible();
    await expect(page.getByLabel('Title')).toHaveAttribute('aria-invalid', 'true');
    await look(page, 'note-invalid');
    await page.reload();
    await expect(page.getByLabel('Title')).toHaveValue(' ');
    await page.getByLabel('Title').fill('A title');
    await expect.poll(() => stored(backend.databaseUrl)).toMatchObject({ title: 'A title', version: 2 });
  });

  test('a save in flight when the server hangs and dies is sent once when it is back', async ({
    page,
    backend,
  }) => {
    let server = await backend.start();
    await server.ready();
    await page.goto(`${server.url}/notes/1`);
    await expect(text(page)).toHaveValue(/^Designing/);
    const sent = changes(page);
    // It takes the request and never answers it. Stopped earlier, it might be found away before the save is sent.
    let hangs = false;
    await page.route('**/api/notes/1', (route) => {
      if (!hangs && route.request().method() === 'PATCH') {
        hangs = true;
        server.child.kill('SIGSTOP');
      }
      return route.continue();
    });
    await text(page).fill('Typed while the server was away');
    await expect.poll(() => sent.length).toBe(1);
    await expect(page.getByText(OFFLINE)).toBeVisible();
    await look(page, 'note-offline');
    await server.end('SIGKILL');
    sent.length = 0;
    server = await backend.start({ PORT: String(server.port) });
    await expect(page.getByText(SAVED)).toBeVisible();
    expect(sent).toEqual([{ body: 'Typed while the server was away' }]);
    expect(await stored(backend.databaseUrl)).toMatchObject({
      body: 'Typed while the server was away',
      version: 2,
    });
    await server.end();
  });

  test('a save whose answer is lost is no conflict', async ({ page, backend }) => {
    await page.goto('/notes/1');
    await expect(text(page)).toHaveValue(/^Designing/);
    await page.route('**/api/notes/1', async (route) => {
      if (route.request().method() !== 'PATCH') return route.fallback();
      await route.fetch();
      await route.abort('connectionreset');
      await page.unroute('**/api/notes/1');
    });
    await text(page).fill('Arrived');
    await expect(page.getByText(SAVED)).toBeVisible();
    await expect(page.getByRole('alert')).toHaveCount(0);
    expect(await stored(backend.databaseUrl)).toMatchObject({ body: 'Arrived', version: 2 });
  });

  test('text typed without a server survives a closed tab, and is sent by the next one', async ({
    page,
    context,
    backend,
  }) => {
    let server = await backend.start();
    await server.ready();
    await page.goto(`${server.url}/notes/1`);
    await expect(text(page)).toHaveValue(/^Designing/);
    await server.end('SIGKILL');
    await expect(page.getByText('The server cannot be reached.')).toBeVisible();
    await text(page).fill('Kept in the browser');
    await expect(page.getByText(OFFLINE)).toBeVisible();
    let questions = 0;
    page.on('dialog', async (dialog) => {
      questions += 1;
      await dialog.accept();
    });
    await page.close({ runBeforeUnload: true });
    await expect.poll(() => context.pages()).toEqual([]);
    // It is safe, so nothing was asked.
    expect(questions).toBe(0);

    server = await backend.start({ PORT: String(server.port) });
    await server.ready();
    const next = await context.newPage();
    await next.goto(`${server.url}/notes`);
    await expect(row(next, 'Reading list')).toContainText('Kept in the browser');
    expect(await stored(backend.databaseUrl)).toMatchObject({ body: 'Kept in the browser', version: 2 });
    await server.end();
  });

  test('where the browser keeps nothing, closing the tab asks first', async ({ page, backend }) => {
    await page.addInitScript(() => {
      Storage.prototype.setItem = () => {
        throw new DOMException('full', 'QuotaExceededError');
      };
    });
    const server = await backend.start();
    await server.ready();
    await page.goto(`${server.url}/notes/1`);
    await expect(text(page)).toHaveValue(/^Designing/);
    await server.end('SIGKILL');
    await expect(page.getByText('The server cannot be reached.')).toBeVisible();
    await text(page).fill('Only here');
    await expect(page.getByText(/^Offline\. Keep this tab open/)).toBeVisible();
    const asked = page.waitForEvent('dialog');
    await page.close({ runBeforeUnload: true });
    const dialog = await asked;
    expect(dialog.type()).toBe('beforeunload');
    await dialog.accept();
  });

  test('a refusal is shown, and sent again by a button', async ({ page, backend }) => {
    await page.goto('/notes/1');
    await expect(text(page)).toHaveValue(/^Designing/);
    await page.route('**/api/notes/1', (route) =>
      route.request().method() === 'PATCH'
        ? route.fulfill({
            status: 403,
            contentType: 'application/problem+json',
            json: {
              type: '/problems/forbidden',
              title: 'Not permitted',
              status: 403,
              detail: 'You may only read this note.',
              instance: '/api/notes/1',
              requestId: 'e2e',
            },
          })
        : route.fallback(),
    );
    await text(page).fill('Refused');
    await expect(page.getByText('Not saved: You may only read this note.')).toBeVisible();
    await look(page, 'note-refused');
    await page.unroute('**/api/notes/1');
    await page.getByRole('button', { name: 'Try again' }).click();
    await expect(page.getByText(SAVED)).toBeVisible();
    expect(await stored(backend.databaseUrl)).toMatchObject({ body: 'Refused', version: 2 });
  });

  test('a banner covers neither what became of the text nor a button', async ({ page, backend }) => {
    const server = await backend.start();
    await server.ready();
    await page.goto(`${server.url}/notes/1`);
    await expect(text(page)).toHaveValue(/^Designing/);
    await server.end('SIGKILL');
    const banner = page.getByRole('status').filter({ hasText: 'The server cannot be reached.' });
    await expect(banner).toBeVisible();
    await text(page).fill('Typed');
    await expect(page.getByText(OFFLINE)).toBeVisible();
    for (const width of [360, 768, 1440]) {
      await resize(page, { width, height: 800 });
      for (const covered of [
        page.getByText(OFFLINE),
        page.getByRole('button', { name: 'Delete this note' }),
        page.getByRole('button', { name: 'New note (N)' }),
      ]) {
        if (!(await covered.isVisible())) continue;
        const isOnTop = await covered.evaluate((element) => {
          const { left, top, width, height } = element.getBoundingClientRect();
          return [0.02, 0.5, 0.98].every((part) =>
            element.contains(document.elementFromPoint(left + width * part, top + height / 2)),
          );
        });
        expect(isOnTop, `${await covered.textContent()} at ${width} px`).toBe(true);
      }
    }
  });
});

test('a long title wraps', async ({ page, backend }) => {
  const title = 'A title that is rather long, as titles are when nobody has thought about them, '
    .repeat(2)
    .trim();
  await query(backend.databaseUrl, 'UPDATE notes SET title = $1', [title]);
  await page.goto('/notes/1');
  await expect(page.getByLabel('Title')).toHaveValue(title);
  for (const width of [360, 768, 1440]) {
    await resize(page, { width, height: 800 });
    const hidden = await page
      .getByLabel('Title')
      .evaluate((box) => [box.scrollWidth - box.clientWidth, box.scrollHeight - box.clientHeight]);
    expect(hidden).toEqual([0, 0]);
  }
  await look(page, 'note-long-title');
  await page.getByLabel('Title').press('End');
  await page.getByLabel('Title').press('Enter');
  await expect(text(page)).toBeFocused();
});

test('no focus ring is cut', async ({ page }) => {
  await page.goto('/notes/1');
  await expect(text(page)).toHaveValue(/^Designing/);
  for (const width of [360, 1440]) {
    await resize(page, { width, height: 800 });
    await page.getByLabel('Title').focus();
    const cut: string[] = [];
    for (let step = 0; step < 20; step += 1) {
      await page.keyboard.press('Shift+Tab');
      const found = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        if (!element.closest('main')) return undefined;
        const style = getComputedStyle(element);
        const beyond = Number.parseFloat(style.outlineOffset) + Number.parseFloat(style.outlineWidth);
        const box = element.getBoundingClientRect();
        for (let around = element.parentElement; around; around = around.parentElement) {
          if (getComputedStyle(around).overflowY === 'visible') continue;
          const clip = around.getBoundingClientRect();
          const isInside =
            box.left - beyond >= clip.left &&
            box.right + beyond <= clip.right &&
            box.top - beyond >= clip.top &&
            box.bottom + beyond <= clip.bottom;
          if (!isInside) {
            const [ring, edge] = [box, clip].map((one) => JSON.stringify(one));
            return `${element.outerHTML.slice(0, 80)} ${ring} in ${around.className} ${edge}`;
          }
        }
        // Nothing may lie over the ring above and below either.
        for (const y of [box.top - beyond, box.bottom + beyond - 1]) {
          const over = document.elementFromPoint(box.left + box.width / 2, y);
          if (
            over &&
            !over.contains(element) &&
            getComputedStyle(over.closest('.sticky') ?? over).position === 'sticky'
          )
            return `covered: ${element.outerHTML.slice(0, 120)}`;
        }
        return undefined;
      });
      if (found) cut.push(found);
    }
    expect(cut, `at ${width} px`).toEqual([]);
  }
});

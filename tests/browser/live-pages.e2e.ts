import type { BrowserContext, Page } from '@playwright/test';
import { query } from '../support/postgres.ts';
import { expect, readAgain, test } from './fixtures.ts';

const row = (page: Page, title: string) =>
  page.getByRole('region', { name: 'List of notes' }).getByRole('link', { name: title });

/** @returns The requests for a stream of events, with what they continue from. */
function streamsOf(context: BrowserContext) {
  const streams: (string | undefined)[] = [];
  context.on('request', (request) => {
    if (request.url().includes('/api/events')) streams.push(request.headers()['last-event-id']);
  });
  return streams;
}

let cookie: string;

async function send(url: string, method: string, path: string, body?: unknown, headers = {}) {
  const response = await fetch(`${url}/api/notes${path}`, {
    method,
    headers: { cookie, ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(response.ok).toBe(true);
  return method === 'DELETE' ? undefined : ((await response.json()) as { id: number });
}

test.beforeEach(async ({ backend, visitor }) => {
  cookie = visitor.cookie;
  await query(backend.databaseUrl, 'TRUNCATE notes RESTART IDENTITY');
});

test('what is written through another replica appears, in two tabs, by one stream', async ({
  page,
  context,
  backend,
}) => {
  const streams = streamsOf(context);
  await using other = await backend.start();
  await other.ready();
  await page.goto('/notes');
  await expect(page.getByRole('heading', { name: 'No notes yet' })).toBeVisible();
  const second = await context.newPage();
  // It hears events from when it has read the list once more.
  const hears = readAgain(second, '/api/notes');
  await second.goto('/notes');
  await hears;
  await expect.poll(() => streams).toEqual([undefined]);

  const note = await send(other.url, 'POST', '', { title: 'From elsewhere' });
  for (const tab of [page, second]) await expect(row(tab, 'From elsewhere')).toBeVisible();
  await row(second, 'From elsewhere').click();
  await send(other.url, 'PATCH', `/${note?.id}`, { title: 'Changed elsewhere' }, { 'if-match': '"1"' });
  await expect(row(page, 'Changed elsewhere')).toBeVisible();
  await expect(second.getByLabel('Title')).toHaveValue('Changed elsewhere');
  expect(streams).toHaveLength(1);

  // The tab that reads for both goes; the other one continues from where it was.
  await page.close();
  await expect.poll(() => streams.length).toBe(2);
  expect(streams[1]).toMatch(/^\d+:\d+:[\d,]*@\d+$/);
  await send(other.url, 'POST', '', { title: 'After the first tab' });
  await expect(row(second, 'After the first tab')).toBeVisible();
});

test('a note that is created while the list is read again stays in it', async ({ page }) => {
  let lists = 0;
  const isRead = Promise.withResolvers<void>();
  const isCreated = Promise.withResolvers<void>();
  await page.route('**/api/notes?*', async (route) => {
    lists += 1;
    if (lists !== 2) return route.fallback();
    // As it was before the note, and answered after it.
    const response = await route.fetch();
    isRead.resolve();
    await isCreated.promise;
    await route.fulfill({ response });
  });
  await page.goto('/notes?new=true');
  // By the first event, which says that some may have been missed.
  await isRead.promise;
  await page.getByLabel('Title of the new note').fill('Meanwhile');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/notes\/\d+$/);
  isCreated.resolve();
  await expect.poll(() => lists).toBe(3);
  await expect(row(page, 'Meanwhile')).toBeVisible();
});

test.describe('when its server ends', () => {
  test.use({ failedRequests: true });

  test('a page misses nothing', async ({ page, context, backend }) => {
    const streams = streamsOf(context);
    await using first = await backend.start();
    await first.ready();
    const joined = page.waitForResponse(/\/api\/events/);
    await page.goto(`${first.url}/notes`);
    await expect(page.getByRole('heading', { name: 'No notes yet' })).toBeVisible();
    await joined;
    await send(first.url, 'POST', '', { title: 'Before' });
    await expect(row(page, 'Before')).toBeVisible();
    await first.end();
    await using other = await backend.start();
    await other.ready();
    await send(other.url, 'POST', '', { title: 'Meanwhile' });
    await using again = await backend.start({ PORT: String(first.port) });
    await again.ready();
    await expect(row(page, 'Meanwhile')).toBeVisible({ timeout: 60_000 });
    await expect.poll(() => streams.at(-1)).toBeDefined();
  });
});

/** Hot reload, as a person who develops meets it: a page of `npm run dev` while its files change and its server restarts. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { copyForDevelopment, removeCopy, startDevelopment } from '../support/development.ts';
import { databaseName, databaseUrl, query, startTestPostgres } from '../support/postgres.ts';
import type { SpawnedServer } from '../support/server.ts';

let copy: string;
let server: SpawnedServer;
let url: string;
let end: () => Promise<void>;

test.beforeAll(async () => {
  copy = await copyForDevelopment();
  const postgres = await startTestPostgres();
  const name = databaseName();
  await query(postgres.url, `CREATE DATABASE ${name}`);
  url = databaseUrl(postgres.url, name);
  end = async () => {
    await query(postgres.url, `DROP DATABASE ${name} WITH (FORCE)`);
    await postgres.release();
  };
  server = await startDevelopment(copy, url);
  await server.ready(60_000);
});

test.afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await end();
  await removeCopy(copy);
});

async function change(path: string, from: string, to: string) {
  const file = join(copy, path);
  const text = await readFile(file, 'utf8');
  expect(text).toContain(from);
  await writeFile(file, text.replaceAll(from, to));
}

/** Resolves when a page hears of changes, which may be later than it is there. Called before it is loaded. */
const hearing = (page: Page) =>
  page.waitForEvent('console', (message) => message.text() === '[vite] connected.');

test('a change to a screen is shown at once, and what was typed stays', async ({ page }) => {
  const connected = hearing(page);
  await page.goto(`${server.url}/kit#Forms`);
  const title = page.getByRole('textbox', { name: 'Title' });
  await title.fill('half a thought');
  await page.evaluate(() => Object.assign(window, { isSamePage: true }));
  await connected;
  await change('client/src/kit/components-screen.tsx', 'title="Kit"', 'title="Another title"');
  await expect(page.getByRole('heading', { name: 'Another title' })).toBeVisible();
  await expect(title).toHaveValue('half a thought');
  expect(await page.evaluate(() => 'isSamePage' in window)).toBe(true);
});

test('a page finds its server after a restart, and is updated by it', async ({ page }) => {
  const connected = hearing(page);
  await page.goto(server.url);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await connected;
  const connectedAgain = hearing(page);
  await page.evaluate(() => Object.assign(window, { isSamePage: true }));
  const { port } = server;
  expect(await server.end()).toBe(0);
  server = await startDevelopment(copy, url, { PORT: String(port) });
  await server.ready(60_000);
  await expect.poll(() => page.evaluate(() => 'isSamePage' in window).catch(() => true)).toBe(false);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await connectedAgain;
  await change('client/src/theme.css', '--radius: 6px;', '--radius: 7px;');
  await expect
    .poll(() => page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--radius')))
    .toBe('7px');
});

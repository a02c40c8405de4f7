import { randomBytes } from 'node:crypto';
import type { Page } from '@playwright/test';
import type { SpawnedServer } from '../support/server.ts';
import { expect } from './fixtures.ts';

/** The operators' key of a test's server. */
export const KEY = randomBytes(32).toString('base64url');
/** What a server needs so that its operators can sign in. */
export const SECRETS = { INTERNAL_API_KEY: KEY, SESSION_SECRET: randomBytes(32).toString('base64url') };

/** Opens an address of the operations screen, signs in, and waits until figures come. */
export async function signIn(page: Page, address: string) {
  await page.goto(address);
  await page.getByLabel('Operators’ key').fill(KEY);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
}

export const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name });

/** Rows of a table that hold a text. */
export const row = (page: Page, table: string, text: string) =>
  page.getByRole('region', { name: table, exact: true }).getByRole('row').filter({ hasText: text });

/** The sentence of the first screen. */
export const sentence = (page: Page) =>
  page
    .getByRole('main')
    .locator('p')
    .filter({ hasText: /^(Ready|Not ready) for / });

/** Sends so many requests, one after the other. */
export async function send(server: SpawnedServer, count: number, path: string) {
  for (let sent = 0; sent < count; sent += 1) await (await fetch(server.url + path)).arrayBuffer();
}

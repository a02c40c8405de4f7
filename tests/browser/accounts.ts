/** What browser tests of accounts share. */
import { createHmac, randomUUID } from 'node:crypto';
import type { Page } from '@playwright/test';
import { freePort, type SpawnedServer } from '../support/server.ts';
import { expect, test } from './fixtures.ts';

export const PASSWORD = 'four words in a row';

export const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
export const password = (page: Page) => page.getByLabel('Password', { exact: true });

/**
 * A server for the tests of a file, where nobody is signed in at first. It is on localhost: passkeys work nowhere else without TLS.
 *
 * @returns What a person does there.
 */
export function accountsServer() {
  let server: SpawnedServer;
  // The browser reports each refused request in its console.
  test.use({ failedRequests: true, storageState: { cookies: [], origins: [] } });
  test.beforeAll(async ({ backend }) => {
    const PORT = String(await freePort());
    server = await backend.start({ PORT, PUBLIC_URL: `http://localhost:${PORT}`, SIGN_UP: 'open' });
    await server.ready();
  });
  test.afterAll(() => server.end());

  const at = (path: string) => `http://localhost:${server.port}${path}`;
  return {
    at,
    /** Signs a new person up, which ends at `returnTo`. @returns Their address. */
    async signUp(page: Page, returnTo = '/account') {
      const email = `ada-${randomUUID().slice(0, 8)}@example.com`;
      await page.goto(at(`/sign-up?returnTo=${encodeURIComponent(returnTo)}`));
      await page.getByLabel('Name').fill('Ada Lovelace');
      await page.getByLabel('Email').fill(email);
      await password(page).fill(PASSWORD);
      await button(page, 'Create account').click();
      await page.waitForURL(at(returnTo));
      return email;
    },
    async signIn(page: Page, email: string) {
      await page.getByLabel('Email').fill(email);
      await password(page).fill(PASSWORD);
      await button(page, 'Sign in').click();
    },
    async signOut(page: Page) {
      await button(page, 'Account of Ada Lovelace').click();
      await page.getByRole('menuitem', { name: 'Sign out' }).click();
      await expect(page.getByRole('link', { name: 'Sign in' })).toBeVisible();
    },
  };
}

/** RFC 6238 with SHA-1, as authenticator apps have it. @param secret In base 32. */
export function totp(secret: string) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((one) => alphabet.indexOf(one).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac('sha1', key).update(counter).digest();
  const from = (hash.at(-1) ?? 0) & 15;
  return String((hash.readUInt32BE(from) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { defineConfig } from '@playwright/test';

/** A Chromium named by CHROMIUM_PATH or found on PATH; otherwise the one that `npx playwright install chromium` brings. */
const chromium =
  process.env.CHROMIUM_PATH ||
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'chromium'))
    .find((file) => existsSync(file));

export default defineConfig({
  testMatch: ['tests/browser/*.e2e.ts', 'client/src/features/*/*.e2e.ts'],
  outputDir: 'test-results',
  workers: 2,
  timeout: 120_000,
  expect: { timeout: 10_000 },
  forbidOnly: Boolean(process.env.CI),
  // On a shared machine a browser may be unlucky; what is wrong fails three times.
  retries: process.env.CI ? 2 : 0,
  reporter: 'list',
  use: {
    launchOptions: {
      ...(chromium ? { executablePath: chromium } : {}),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    },
  },
});

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
  testMatch: ['tests/browser/*.e2e.ts', 'client/src/{features,modules}/*/*.e2e.ts'],
  outputDir: 'test-results',
  workers: 2,
  // Limits for what hangs: a busy machine may take its time.
  timeout: 600_000,
  expect: { timeout: 60_000 },
  forbidOnly: Boolean(process.env.CI),
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

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { alias: { '@': fileURLToPath(new URL('client/src', import.meta.url)) } },
  test: {
    include: ['{client/src,contracts,server,scripts,tests}/**/*.test.{ts,tsx}'],
    exclude: ['tests/template/**', 'tests/reliability/**', 'tests/packaging/**'],
    globalSetup: ['tests/support/global-setup.ts'],
    // Waiting costs nothing where what is waited for comes soon; a busy machine may take its time.
    expect: { poll: { timeout: 10_000 } },
    // On a shared machine a test of processes and clocks may be unlucky; one that is wrong fails three times.
    retry: process.env.CI ? 2 : 0,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Tests start servers and databases: a pool of forks keeps each file's processes its own.
    pool: 'forks',
    // Most of them wait for time-outs and processes: more at once than there are cores to keep the whole under three minutes.
    maxWorkers: 3,
    maxConcurrency: 10,
  },
});

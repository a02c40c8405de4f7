import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** `npm test` runs the project `unit`, and `npm run test:NAME` each of the others: they are slow, or need other programs. */
export default defineConfig({
  resolve: { alias: { '@': fileURLToPath(new URL('client/src', import.meta.url)) } },
  test: {
    // Tests start servers and databases: a pool of forks keeps each file's processes its own.
    pool: 'forks',
    // A test that needs a second try is wrong.
    retry: 0,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{client/src,contracts,scripts,server,tests}/**/*.test.{ts,tsx}'],
          globalSetup: ['tests/support/global-setup.ts'],
          // Limits for what hangs. Waiting costs nothing where what is waited for comes soon; a busy machine may take its time.
          expect: { poll: { timeout: 60_000 } },
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // Most of them wait for time-outs and processes: more at once than there are cores to keep the whole under three minutes.
          maxWorkers: 3,
          maxConcurrency: 10,
        },
      },
      'lab/*/vitest.config.ts',
    ],
  },
});

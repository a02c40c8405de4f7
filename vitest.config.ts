import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const postgres = 'tests/support/global-setup.ts';

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
          include: ['{client/src,contracts,lab/bench,scripts,server,tests}/**/*.test.{ts,tsx}'],
          globalSetup: [postgres],
          // Waiting costs nothing where what is waited for comes soon; a busy machine may take its time.
          expect: { poll: { timeout: 10_000 } },
          testTimeout: 20_000,
          hookTimeout: 30_000,
          // Most of them wait for time-outs and processes: more at once than there are cores to keep the whole under three minutes.
          maxWorkers: 3,
          maxConcurrency: 10,
        },
      },
      {
        // It follows the documents in copies of this clone, and runs all tests once more there.
        test: {
          name: 'template',
          include: ['lab/template/**/*.test.ts'],
          globalSetup: [postgres],
          testTimeout: 300_000,
          hookTimeout: 60_000,
        },
      },
      {
        // It needs Docker or Podman, HAProxy and nginx.
        test: {
          name: 'packaging',
          include: ['lab/packaging/**/*.test.ts'],
          globalSetup: [postgres, 'lab/packaging/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 420_000,
          // Times are printed here: one file after the other measures itself alone.
          fileParallelism: false,
        },
      },
      {
        // The one suite that asserts times.
        test: {
          name: 'reliability',
          include: ['lab/reliability/**/*.test.ts'],
          globalSetup: ['lab/reliability/support/collect.ts'],
          testTimeout: 600_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          // Figures are printed as they come.
          disableConsoleIntercept: true,
        },
      },
    ],
  },
});

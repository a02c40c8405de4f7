import { defineConfig } from 'vitest/config';

/** `npm run test:reliability`: the one suite that asserts times. One scenario at a time, none tried twice. */
export default defineConfig({
  test: {
    include: ['tests/reliability/**/*.test.ts'],
    globalSetup: ['tests/reliability/support/collect.ts'],
    testTimeout: 600_000,
    hookTimeout: 60_000,
    pool: 'forks',
    fileParallelism: false,
    retry: 0,
    // Figures are printed as they come.
    disableConsoleIntercept: true,
  },
});

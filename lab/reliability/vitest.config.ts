import { defineConfig } from 'vitest/config';

/** The one suite that asserts times. */
export default defineConfig({
  test: {
    name: 'reliability',
    include: ['**/*.test.ts'],
    globalSetup: ['./support/collect.ts'],
    testTimeout: 600_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    // Figures are printed as they come.
    disableConsoleIntercept: true,
  },
});

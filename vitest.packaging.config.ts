import { defineConfig } from 'vitest/config';

/** `npm run test:packaging`: apart from the other tests, because it needs Docker or Podman, and HAProxy and nginx. */
export default defineConfig({
  test: {
    include: ['tests/packaging/**/*.test.ts'],
    globalSetup: ['tests/support/global-setup.ts', 'tests/packaging/global-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 420_000,
    pool: 'forks',
    // Times are printed here: one file after the other measures itself alone.
    fileParallelism: false,
  },
});

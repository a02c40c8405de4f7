import { defineConfig } from 'vitest/config';

/** It needs Docker or Podman, HAProxy and nginx. */
export default defineConfig({
  test: {
    name: 'packaging',
    include: ['**/*.test.ts'],
    globalSetup: ['../../tests/support/global-setup.ts', './global-setup.ts'],
    testTimeout: 300_000,
    hookTimeout: 420_000,
    // Times are printed here: one file after the other measures itself alone.
    fileParallelism: false,
  },
});

import { defineConfig } from 'vitest/config';

/** It follows the documents in copies of this clone, and runs tests once more there. */
export default defineConfig({
  test: {
    name: 'template',
    include: ['**/*.test.ts'],
    globalSetup: ['../../tests/support/global-setup.ts'],
    testTimeout: 600_000,
    hookTimeout: 180_000,
    // They wait for a registry and for disks: two at once, also on two cores.
    maxWorkers: 2,
  },
});

import { defineConfig } from 'vitest/config';

/** It follows the documents in copies of this clone, and runs tests once more there. */
export default defineConfig({
  test: {
    name: 'template',
    include: ['**/*.test.ts'],
    globalSetup: ['../../tests/support/global-setup.ts'],
    testTimeout: 300_000,
    hookTimeout: 60_000,
  },
});

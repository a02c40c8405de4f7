import { defineConfig } from 'vitest/config';

/** `npm run test:template`: apart from the other tests, because it runs all of them once more, in a copy. */
export default defineConfig({
  test: {
    include: ['tests/template/**/*.test.ts'],
    globalSetup: ['tests/support/global-setup.ts'],
    testTimeout: 300_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
});

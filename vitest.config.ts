import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{client/src,contracts,server,scripts,tests}/**/*.test.{ts,tsx}'],
    exclude: ['tests/template/**'],
    globalSetup: ['tests/support/global-setup.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Tests start servers and databases: a pool of forks keeps each file's processes its own.
    pool: 'forks',
  },
});

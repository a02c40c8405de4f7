import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { alias: { '@': fileURLToPath(new URL('client/src', import.meta.url)) } },
  test: {
    include: ['{client/src,contracts,server,scripts,tests}/**/*.test.{ts,tsx}'],
    exclude: ['tests/template/**', 'tests/reliability/**', 'tests/packaging/**'],
    globalSetup: ['tests/support/global-setup.ts'],
    // Limits for what hangs. Waiting costs nothing where what is waited for comes soon; a busy machine may take its time.
    expect: { poll: { timeout: 60_000 } },
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Tests start servers and databases: a pool of forks keeps each file's processes its own.
    pool: 'forks',
    // Most of them wait for time-outs and processes: more at once than there are cores to keep the whole under three minutes.
    maxWorkers: 3,
    maxConcurrency: 10,
  },
});

import { defineConfig } from 'vitest/config';

/** These assert milliseconds or memory, or use the whole machine: they run one after the other. */
const ALONE = [
  // A line each: a part takes its own with it.
  'database.test.ts',
  'hostile-connections.test.ts',
  'operations.test.ts',
  'resources.test.ts',
  'stopping.test.ts',
  'times.test.ts',
];

const shared = {
  globalSetup: ['./support/collect.ts'],
  testTimeout: 600_000,
  hookTimeout: 60_000,
  // Figures are printed as they come.
  disableConsoleIntercept: true,
};

/** The one suite that asserts times. */
export default defineConfig({
  test: {
    name: 'reliability',
    projects: [
      { test: { ...shared, name: 'alone', include: ALONE, fileParallelism: false } },
      {
        test: {
          ...shared,
          name: 'waiting',
          include: ['*.test.ts'],
          exclude: ALONE,
          // The rest mostly wait. More than two would compete for two cores when their servers start.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

import { join } from 'node:path';
import type { SpawnedServer } from './server.ts';
import { until } from './until.ts';

/** For `startServer`: flags of a process whose timers are counted. */
export const COUNTING_TIMERS = ['--require', join(import.meta.dirname, 'count-timers.cjs')];

/** @returns How many timers of ours each process has fired since it was asked last. */
export const timersFired = (...processes: SpawnedServer[]): Promise<number[]> =>
  Promise.all(
    processes.map(async ({ child, output }) => {
      const before = output().length;
      child.kill('SIGWINCH');
      return Number(await until('the timers', () => /"ours":(\d+)/.exec(output().slice(before))?.[1]));
    }),
  );

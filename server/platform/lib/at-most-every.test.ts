import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { atMostEvery } from './at-most-every.ts';
import { assertStillWanted, runAsWorkOf } from './request-work.ts';

afterEach(() => vi.useRealTimers());

it('runs at once, and again when it is due, although the system clock was set back', () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  let runs = 0;
  const upkeep = atMostEvery(
    60_000,
    async () => runs++,
    (error) => expect.unreachable(String(error)),
  );
  upkeep();
  upkeep();
  vi.advanceTimersByTime(59_999);
  upkeep();
  expect(runs).toBe(1);
  vi.advanceTimersByTime(1);
  vi.setSystemTime(0);
  upkeep();
  expect(runs).toBe(2);
});

it('runs although the request that caused it is no longer wanted', async () => {
  const failures: unknown[] = [];
  let runs = 0;
  const upkeep = atMostEvery(
    60_000,
    async () => {
      assertStillWanted();
      runs++;
    },
    (error) => failures.push(error),
  );
  runAsWorkOf({ wanted: () => false }, upkeep);
  await nextTurn();
  expect(failures).toEqual([]);
  expect(runs).toBe(1);
});

it('hands over a failure, and runs again when it is due', async () => {
  const failures: unknown[] = [];
  const upkeep = atMostEvery(
    0,
    () => Promise.reject(new Error('down')),
    (error) => failures.push(error),
  );
  upkeep();
  upkeep();
  await nextTurn();
  expect(failures).toEqual([new Error('down'), new Error('down')]);
});

import { expect, test } from 'vitest';
import type { TrafficHistory } from '#contracts/operations/traffic.ts';
import { joined } from './live.ts';

const history = (times: number[], change: Partial<TrafficHistory> = {}) =>
  ({
    instance: 'a',
    window: '1m',
    stepMs: 5_000,
    times,
    cpu: times.map((at) => at / 1_000),
    ...change,
  }) as TrafficHistory;
const steps = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => from + index * 5_000);

test('further steps stand behind those that are held, and what is older than the window goes', () => {
  const held = joined(history(steps(0, 12)), history([60_000, 65_000]));
  expect(held.times).toEqual(steps(10_000, 12));
  expect(held.cpu).toEqual(held.times.map((at) => at / 1_000));
});

test.each([
  ['of another process', { instance: 'b' }],
  ['of another window', { window: '5m' }],
  ['in other steps', { stepMs: 60_000 }],
] as const)('a history %s takes the place of what is held', (_, change) => {
  const next = history([60_000], change);
  expect(joined(history(steps(0, 12)), next)).toBe(next);
});

test('a history that goes back takes the place of what is held, and an empty one changes nothing', () => {
  const held = history(steps(0, 12));
  const whole = history(steps(30_000, 12));
  expect(joined(held, whole)).toBe(whole);
  expect(joined(held, history([]))).toBe(held);
});

import { expect, test } from 'vitest';
import { axisEnd, bars, nearest, paths, stacked, timeTicks, widestGap } from './chart-geometry.ts';

const scale = { from: 0, to: 1_000, most: 10 };
const every100 = (count: number) => Array.from({ length: count }, (_, index) => index * 100);

test.each([
  [[[3, 7]], 1, 10],
  [[[3, null], [12]], 1, 20],
  [[[0.03]], 0.1, 0.1],
  [[[230]], 1, 250],
  [[[10]], 1, 10],
])('the axis of %j ends at a round number that is not below %d: %d', (columns, least, most) => {
  expect(axisEnd(columns, least)).toBe(most);
});

test('a line goes from left to right and its area down to the foot', () => {
  const { line, area } = paths([0, 100, 200], [0, 5, 10], 100, scale);
  expect(line).toBe('M0 1000L1000 500L2000 0');
  expect(area).toBe('M0 1000L1000 500L2000 0V1000H0Z');
});

test('what was not measured is a gap, and so is a step that is missing', () => {
  expect(paths([0, 100, 200, 300], [1, null, 1, 1], 100, scale).line).toBe('M0 900h0M2000 900L3000 900');
  expect(paths([0, 100, 400], [1, 1, 1], 100, scale).line).toBe('M0 900L1000 900M4000 900h0');
});

test('of many points no peak, no trough and no gap is lost', () => {
  const times = Array.from({ length: 720 }, (_, index) => index);
  const values = times.map((index) => (index === 333 ? 10 : index === 500 ? 0 : index === 600 ? null : 5));
  const { line } = paths(times, values, 1, { from: 0, to: 719, most: 10 });
  expect(line).toContain(' 0L');
  expect(line).toContain(' 1000L');
  expect(line.match(/M/g)).toHaveLength(2);
  expect(line.match(/[ML]/g)?.length).toBeLessThan(300);
});

test('the longest gap is named, and whether the process was there at all', () => {
  expect(widestGap(every100(11), [1, ...Array(9).fill(null), 1], scale)).toEqual({
    from: 0,
    to: 1,
    isBefore: false,
  });
  expect(widestGap([800, 900, 1_000], [1, 1, 1], scale)).toEqual({ from: 0, to: 0.8, isBefore: true });
  expect(widestGap(every100(11), Array(11).fill(1), scale)).toBeUndefined();
});

test.each([
  [-50, 0],
  [149, 1],
  [151, 2],
  [9_999, 3],
])('%d points at element %d', (at, index) => {
  expect(nearest(every100(4), at)).toBe(index);
});

test('ticks of time are round, ascending and no more than asked for', () => {
  const to = Date.UTC(2026, 10, 29, 14, 30, 7);
  for (const windowMs of [60_000, 300_000, 900_000, 3_600_000, 86_400_000]) {
    const ticks = timeTicks({ from: to - windowMs, to }, 4);
    expect(ticks.length).toBeGreaterThan(0);
    expect(ticks.length).toBeLessThanOrEqual(4);
    for (const at of ticks) {
      expect(at % 5_000).toBe(0);
      expect(at >= to - windowMs && at < to).toBe(true);
    }
  }
});

test('a stack adds up, and keeps gaps', () => {
  expect(
    stacked([
      [1, 2, null],
      [10, null, 30],
    ]),
  ).toEqual([
    [1, 2, null],
    [11, null, 30],
  ]);
});

test('bars stand on the ground, side by side, and nothing is drawn for 0 and for gaps', () => {
  const of = (slot: [number, number]) => bars([0, 100, 200, 300], [null, 5, 0, 10], 100, scale, slot);
  expect(of([0, 2])).toBe('M100 1000V500h400V1000ZM2100 1000V0h400V1000Z');
  expect(of([1, 2])).toBe('M500 1000V500h400V1000ZM2500 1000V0h400V1000Z');
});

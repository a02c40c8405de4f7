import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_COUNTERS, RELATIVE_ERROR, Sketch } from './sketch.ts';

const SHARES = [0, 0.5, 0.9, 0.95, 0.99, 1];
/** From 10 µs to an hour, evenly over the powers of ten. */
const duration = fc.double({ min: -2, max: 6.5, noNaN: true }).map((power) => 10 ** power);
const durations = fc.array(duration, { minLength: 1, maxLength: 300 });

const sketchOf = (values: readonly number[]) => {
  const sketch = new Sketch();
  for (const value of values) sketch.add(value);
  return sketch;
};

const exact = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))] as number;

function expectAlike(sketch: Sketch, values: readonly number[]): void {
  expect(sketch.count).toBe(values.length);
  for (const share of SHARES) {
    const true_ = exact(values, share);
    // The bound itself is computed with rounding.
    expect(Math.abs((sketch.quantile(share) as number) - true_) / true_).toBeLessThan(RELATIVE_ERROR + 1e-9);
  }
}

test('no quantile is more than 1 % off', () => {
  fc.assert(fc.property(durations, (values) => expectAlike(sketchOf(values), values)));
});

test('sketches added up say what one of everything would', () => {
  fc.assert(
    fc.property(fc.array(durations, { minLength: 1, maxLength: 8 }), (parts) => {
      const sum = new Sketch();
      for (const part of parts) sum.merge(sketchOf(part).sealed());
      expectAlike(sum, parts.flat());
      expect(SHARES.map((share) => sum.quantile(share))).toEqual(
        SHARES.map((share) => sketchOf(parts.flat()).quantile(share)),
      );
    }),
  );
});

test('a cleared sketch is as good as a new one', () => {
  fc.assert(
    fc.property(durations, durations, (first, second) => {
      const sketch = sketchOf(first);
      sketch.clear();
      expect(sketch.quantile(0.5)).toBeNull();
      for (const value of second) sketch.add(value);
      expectAlike(sketch, second);
    }),
  );
});

test('takes whatever it is given, in bounded room', () => {
  const sketch = sketchOf([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e-9, 1e300]);
  expect(sketch.count).toBe(6);
  expect(sketch.quantile(0)).toBeLessThan(0.011);
  expect(sketch.quantile(1)).toBeGreaterThan(3_500_000);
  expect(MAX_COUNTERS).toBeLessThan(1_100);
  const counts: number[] = [];
  sketch.each((_ms, count) => counts.push(count));
  expect(counts).toEqual([4, 2]);
});

test('an empty one says nothing', () => {
  const empty = new Sketch();
  empty.merge(new Sketch().sealed());
  expect(empty.quantile(0.5)).toBeNull();
  expect(empty.count).toBe(0);
});

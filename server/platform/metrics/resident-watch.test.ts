import { expect, it } from 'vitest';
import { ResidentWatch } from './resident-watch.ts';

/** A container of 100 bytes. */
function watch(afterCollection?: number) {
  const scene = { resident: 50, collected: 0, reported: 0, now: 0 };
  const one = new ResidentWatch({
    limit: 100,
    resident: () => scene.resident,
    collect() {
      scene.collected++;
      scene.resident = afterCollection ?? scene.resident;
    },
    onNearlyFull: () => scene.reported++,
  });
  /** A second later. */
  const fullAt = (resident: number) => {
    scene.resident = resident;
    scene.now += 1_000;
    return one.full(scene.now);
  };
  return { scene, one, fullAt };
}

it('is full near the limit until there is room again, and reports it once', () => {
  const { scene, fullAt } = watch();
  expect([80, 91, 93, 88, 84, 88].map(fullAt)).toEqual([false, false, true, true, false, false]);
  expect(scene.reported).toBe(1);
});

it('collects garbage before it refuses, but rarely', () => {
  const { scene, fullAt } = watch(60);
  expect(fullAt(95)).toBe(false);
  // The next collection has to wait.
  expect(fullAt(95)).toBe(true);
  expect(scene.collected).toBe(1);
  scene.now += 10_000;
  expect(fullAt(95)).toBe(false);
});

it('reads memory at most every 250 ms', () => {
  const { scene, one, fullAt } = watch();
  expect(fullAt(99)).toBe(true);
  scene.resident = 10;
  expect(one.full(scene.now + 100)).toBe(true);
  expect(one.full(scene.now + 300)).toBe(false);
});

it('is never full without a limit', () => {
  expect(new ResidentWatch({ limit: null, resident: () => Number.MAX_SAFE_INTEGER }).full(1_000)).toBe(false);
});

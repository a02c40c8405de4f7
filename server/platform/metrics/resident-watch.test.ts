import { expect, it } from 'vitest';
import { ResidentWatch } from './resident-watch.ts';

/** A container of 100 bytes. */
function watch(afterCollection?: number) {
  const scene = { resident: 50, collected: 0, said: 0, now: 0 };
  const one = new ResidentWatch(
    100,
    () => scene.resident,
    () => {
      scene.collected++;
      scene.resident = afterCollection ?? scene.resident;
    },
  );
  one.onNearlyFull = () => scene.said++;
  /** A second later. */
  const fullAt = (resident: number) => {
    scene.resident = resident;
    scene.now += 1_000;
    return one.full(scene.now);
  };
  return { scene, one, fullAt };
}

it('is full near the limit, until there is room again, and says so once', () => {
  const { scene, fullAt } = watch();
  expect([80, 91, 93, 88, 84, 88].map(fullAt)).toEqual([false, false, true, true, false, false]);
  expect(scene.said).toBe(1);
});

it('takes no garbage for need', () => {
  const { scene, fullAt } = watch(60);
  expect(fullAt(95)).toBe(false);
  // A collection stops everything for a moment: the next one has to wait.
  expect(fullAt(95)).toBe(true);
  expect(scene.collected).toBe(1);
  scene.now += 10_000;
  expect(fullAt(95)).toBe(false);
});

it('looks no more often than the system is to be asked', () => {
  const { scene, one, fullAt } = watch();
  expect(fullAt(99)).toBe(true);
  scene.resident = 10;
  expect(one.full(scene.now + 100)).toBe(true);
  expect(one.full(scene.now + 300)).toBe(false);
});

it('is never full where nothing limits it', () => {
  expect(new ResidentWatch(null, () => Number.MAX_SAFE_INTEGER).full(1_000)).toBe(false);
});

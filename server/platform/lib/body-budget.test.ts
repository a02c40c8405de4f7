import { expect, it } from 'vitest';
import { BodyBudget } from './body-budget.ts';

const KIB = 1_024;

it('keeps the last quarter for small bodies', () => {
  const budget = new BodyBudget(1_000 * KIB);
  for (let client = 0; client < 3; client++) expect(budget.take(`${client}`, 250 * KIB)).toBe(true);
  expect(budget.take('3', 17 * KIB)).toBe(false);
  expect(budget.take('3', 16 * KIB)).toBe(true);
  expect(budget.used).toBe(766 * KIB);
});

it('gives no client more than a quarter of what others leave, but for one body', () => {
  const budget = new BodyBudget(1_000 * KIB);
  expect(budget.take('a', 600 * KIB)).toBe(true);
  expect(budget.take('a', 1)).toBe(false);
  expect(budget.take('b', 100 * KIB)).toBe(true);
  budget.give('a', 600 * KIB);
  // Of the 750 KiB for large bodies, b leaves 650.
  expect(budget.take('a', 100 * KIB)).toBe(true);
  expect(budget.take('a', 63 * KIB)).toBe(false);
  expect(budget.take('a', 62 * KIB)).toBe(true);
});

it('is not filled by a few clients', () => {
  const budget = new BodyBudget(32 * KIB * KIB);
  for (let client = 0; client < 16; client++) while (budget.take(`${client}`, 128 * KIB));
  expect(budget.take('visitor', 128 * KIB)).toBe(true);
});

it('takes one body that is larger than all of it', () => {
  const budget = new BodyBudget(1_000);
  expect(budget.take('a', 10_000)).toBe(true);
  expect(budget.take('b', 1)).toBe(false);
  budget.give('a', 10_000);
  expect(budget.used).toBe(0);
  expect(budget.take('b', 1)).toBe(true);
});

import { expect, it } from 'vitest';
import { causesOf, findCause } from './causes.ts';

class Wanted extends Error {}

it('finds an error of a class among the causes, the outermost first', () => {
  const inner = new Wanted('inner');
  const outer = new Wanted('outer', { cause: inner });
  expect(findCause(new Error('wrapper', { cause: outer }), Wanted)).toBe(outer);
  expect(findCause(inner, Wanted)).toBe(inner);
  expect(findCause(new Error('other', { cause: 'Wanted' }), Wanted)).toBeUndefined();
  expect(findCause(undefined, Wanted)).toBeUndefined();
});

it('ends where an error is its own cause', () => {
  const circular = new Error('circular');
  circular.cause = circular;
  expect([...causesOf(circular)]).toHaveLength(5);
  expect(findCause(circular, Wanted)).toBeUndefined();
});

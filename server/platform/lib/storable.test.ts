import { expect, it } from 'vitest';
import { isStorable } from './storable.ts';

it.each([
  ['a text', 'Ada', true],
  ['a pair of surrogates', '😀', true],
  ['a backslash before what looks like an escape', '\\u0000', true],
  ['NUL', 'a\0b', false],
  ['NUL behind a backslash', '\\\0', false],
  ['half of a pair', '\ud83d', false],
  ['half of a pair in a key', { '\udc00': 1 }, false],
])('%s', (_, value, storable) => {
  expect(isStorable(JSON.stringify(value))).toBe(storable);
});

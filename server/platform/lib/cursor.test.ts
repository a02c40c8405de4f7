import { expect, it } from 'vitest';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { ProblemError } from './problem.ts';

it.each([1, 42, Number.MAX_SAFE_INTEGER])('brings %d there and back', (key) => {
  expect(decodeCursor(encodeCursor(key))).toBe(key);
});

const made = (text: string) => Buffer.from(text).toString('base64url');
it.each([
  '',
  '!',
  'abc',
  made('k'),
  made('k0'),
  made('k-1'),
  made('k1e9'),
  made('k99999999999999999'),
  made("k1'--"),
])('refuses %j', (cursor) => {
  expect(() => decodeCursor(cursor)).toThrow(ProblemError);
});

import { expect, it } from 'vitest';
import { etagOf, readIfMatch } from './etag.ts';
import { ProblemError } from './problem.ts';

it.each([
  [undefined, undefined],
  ['*', 'any'],
  ['"3"', [3]],
  ['W/"3"', [3]],
  [' "1" , W/"2" ', [1, 2]],
  ['"not-ours"', []],
  ['"0"', []],
  ['""', []],
])('reads If-Match %s as %j', (header, versions) => {
  expect(readIfMatch(header)).toEqual(versions);
});

it.each(['3', 'w/"3"', '"3" "4"', '', ',', '"3'])('refuses If-Match %j', (header) => {
  expect(() => readIfMatch(header)).toThrow(ProblemError);
});

it('reads back the tag that it makes', () => {
  expect(readIfMatch(etagOf({ version: 12 }))).toEqual([12]);
});

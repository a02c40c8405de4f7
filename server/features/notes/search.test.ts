import { expect, it } from 'vitest';
import { toPrefixQuery } from './search.ts';

it.each([
  ['', undefined],
  ['  !& |', undefined],
  ['milk', "'milk':*"],
  ['buy  milk', "'buy' & 'milk':*"],
  ["o'brien:* | !x", "'o' & 'brien' & 'x':*"],
  ['Ünïcode 東京', "'Ünïcode' & '東京':*"],
])('%j becomes %j', (text, query) => {
  expect(toPrefixQuery(text)).toBe(query);
});

it('takes sixteen words at most', () => {
  expect(toPrefixQuery('a '.repeat(50))?.split(' & ')).toHaveLength(16);
});

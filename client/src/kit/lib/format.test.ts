import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  ago,
  asSentence,
  bytes,
  clock,
  count,
  duration,
  list,
  milliseconds,
  moment,
  number,
  percent,
  perSecond,
  setLocales,
  span,
} from './format.ts';

beforeEach(() => setLocales('en-US'));
afterEach(() => setLocales('en'));

/** With ordinary spaces. */
const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, ' ');

test.each([
  [0, '0 ms'],
  [38.4, '38 ms'],
  [999.4, '999 ms'],
  [999.6, '1.0 s'],
  [59_940, '59.9 s'],
  [59_960, '1 min'],
  [125_000, '2 min 5 s'],
])('%d ms are read as %s', (ms, text) => {
  expect(plain(duration(ms))).toBe(text);
});

test.each([
  [20, 'just now'],
  [5 * 60, '5 minutes ago'],
  [3 * 3_600, '3 hours ago'],
  [23.9 * 3_600, '24 hours ago'],
  [48 * 3_600, 'Mar 8'],
  [400 * 24 * 3_600, 'Feb 3, 2025'],
])('%d s ago is written as %s', (seconds, text) => {
  const now = new Date(2026, 2, 10, 12).getTime();
  expect(ago(new Date(now - seconds * 1_000).toISOString(), now)).toBe(text);
});

test.each([
  [number(4_200.4), '4,200'],
  [number(0.421), '0.42'],
  [percent(0.95), '95%'],
  [percent(0.00021), '0.02%'],
  [percent(0.00001), '<0.01%'],
  [percent(0), '0%'],
  [perSecond(42.13), '42.1/s'],
  [milliseconds(0.421), '0.42 ms'],
  [milliseconds(1_240), '1.24 s'],
  [bytes(182 * 2 ** 20), '182 MiB'],
  [bytes(1.5 * 2 ** 30), '1.5 GiB'],
  [span(76 * 3_600_000), '3 d 4 h'],
  [span(3_600_000), '1 h'],
  [span(0), '0 s'],
  [count(1, 'check'), '1 check'],
  [count(0, 'query', 'queries'), '0 queries'],
  [list(['a', 'b', 'c']), 'a, b, and c'],
])('%s is written as %s', (shown, text) => {
  expect(plain(shown)).toBe(text);
});

test('follows the visitor’s locale in numbers and dates, and English in words', () => {
  const at = new Date(2026, 10, 21, 14, 3, 22).getTime();
  expect([clock(at), moment(at)]).toEqual(['14:03:22', 'Nov 21, 14:03:22']);
  setLocales('de-DE', 'en-GB');
  expect(plain(milliseconds(1_240))).toBe('1,24 s');
  expect(plain(percent(0.955))).toBe('95,5 %');
  expect(moment(at)).toBe('21. Nov., 14:03:22');
  expect(list(['a', 'b', 'c'])).toBe('a, b and c');
  const now = new Date(2026, 2, 10, 12).getTime();
  expect(ago(new Date(now - 300_000).toISOString(), now)).toBe('5 minutes ago');
});

test.each([
  ['database: no answer', 'Database: no answer.'],
  ['Already a sentence.', 'Already a sentence.'],
  ['Is it?', 'Is it?'],
])('%s is said as %s', (text, sentence) => {
  expect(asSentence(text)).toBe(sentence);
});

import { expect, test } from 'vitest';
import { ago, asSentence, duration } from './format.ts';

test.each([
  [0, '0 ms'],
  [38.4, '38 ms'],
  [999.4, '999 ms'],
  [999.6, '1.0 s'],
  [59_940, '59.9 s'],
  [59_960, '1 min 0 s'],
  [125_000, '2 min 5 s'],
])('%d ms are read as %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
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
  ['database: no answer', 'Database: no answer.'],
  ['Already a sentence.', 'Already a sentence.'],
  ['Is it?', 'Is it?'],
])('%s is said as %s', (text, sentence) => {
  expect(asSentence(text)).toBe(sentence);
});

import { expect, test } from 'vitest';
import { figure, measured } from './texts.ts';

test.each<[string, number, string]>([
  ['memoryAvailableBytes', 512 * 2 ** 20, '512 MiB available'],
  ['uptimeSeconds', 3_660, 'up for 1 h 1 min'],
  ['load1m', 0.421, 'load 0.42'],
  ['cpus', 1, '1 CPU'],
  ['queueBytes', 2 ** 30, 'queue 1 GiB'],
  ['lagSeconds', 61, 'lag 1 min 1 s'],
  ['jobsWaiting', 12, 'jobs waiting 12'],
])('the figure %s of %d is shown as %s', (name, value, shown) => {
  expect(figure([name, value]).replaceAll('\u00a0', ' ')).toBe(shown);
});

test.each<[number | null, string, string]>([
  [1, 'checks', '1 check'],
  [2, 'checks', '2 checks'],
  [0, 'requests', '0 requests'],
  [1, 'failures a minute', '1 failure a minute'],
  [1, 'ms', '1 ms'],
  [2_000, 'ms', '2 s'],
  [5, '%', '5%'],
  [null, '%', '–'],
])('the value %d in %s is shown as %s', (value, unit, shown) => {
  expect(measured(value, unit).replaceAll('\u00a0', ' ')).toBe(shown);
});

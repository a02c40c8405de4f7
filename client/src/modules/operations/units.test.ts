import { expect, test } from 'vitest';
import { figure } from './units.ts';

test.each<[string, number, string]>([
  ['memoryAvailableBytes', 512 * 2 ** 20, 'memory available 512 MiB'],
  ['uptimeSeconds', 3_660, 'uptime 1 h 1 min'],
  ['load1m', 0.421, 'load 1m 0.42'],
  ['cpus', 2, 'cpus 2'],
])('the figure %s of %d is shown as %s', (name, value, shown) => {
  expect(figure([name, value]).replaceAll('\u00a0', ' ')).toBe(shown);
});

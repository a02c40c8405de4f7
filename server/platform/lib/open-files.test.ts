import { expect, it } from 'vitest';
import { connectionsThatFit } from './open-files.ts';

it.each([
  ['as many as are wanted where there is room', 10_000, 1_048_576, 10_000, 0],
  ['fewer where there is not, and it is said', 10_000, 1_024, 940, 1],
  ['some in any case', 10_000, 40, 16, 1],
  ['as many as are wanted where nobody knows', 10_000, Number.NaN, 10_000, 0],
])('connections: %s', (_what, wanted, limit, fitting, warnings) => {
  const said: string[] = [];
  const known = Number.isNaN(limit) ? null : limit;
  expect(connectionsThatFit(wanted, 20, (text) => said.push(text), known)).toBe(fitting);
  expect(said).toHaveLength(warnings);
  if (warnings > 0)
    expect(said[0]).toMatch(/HTTP_MAX_CONNECTIONS is 10000.*accepts \d+ connections.*ulimit -n/);
});

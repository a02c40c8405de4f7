import { expect, it } from 'vitest';
import { checkLockFile } from './lock-files.ts';

const problems = (entry: Record<string, unknown>) =>
  checkLockFile('package-lock.json', JSON.stringify({ packages: { '': {}, 'node_modules/bird': entry } }));

it('a package with a hash, one inside such a package and a folder of the project are fine', () => {
  expect(problems({ version: '1.0.0', integrity: 'sha512-abc' })).toEqual([]);
  expect(problems({ version: '1.0.0', inBundle: true })).toEqual([]);
  expect(problems({ resolved: 'packages/bird', link: true })).toEqual([]);
});

it('a package without a hash, or with the address of a registry, is refused with what to do', () => {
  const remedy = 'npm install --package-lock-only';
  expect(problems({ version: '1.0.0', optional: true })).toEqual([
    expect.stringMatching(`node_modules/bird has no SHA-512 integrity.*${remedy}`),
  ]);
  expect(problems({ version: '1.0.0', integrity: 'sha1-abc' })).toHaveLength(1);
  expect(
    problems({ version: '1.0.0', integrity: 'sha512-abc', resolved: 'https://example.com/bird.tgz' }),
  ).toEqual([expect.stringMatching(`node_modules/bird names where.*${remedy}`)]);
});

/**
 * Makes the pictures of the README, `docs/images/`, by the browser tests that look at the same screens:
 * `npm run screenshots`. All other pictures of a test run lie in `screenshots/`.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

/** Picture of the README → picture of the tests. */
const PICTURES = {
  home: 'home-ready',
  operations: 'operations-calm',
};

const { status } = spawnSync(
  process.execPath,
  // One at a time: a picture says how long the start took.
  [join(ROOT, 'node_modules/@playwright/test/cli.js'), 'test', '--grep', '@pictures', '--workers=1'],
  { cwd: ROOT, stdio: 'inherit' },
);
if (status !== 0) {
  console.error('The browser tests that make the pictures failed; docs/images is as it was.');
  process.exit(1);
}

mkdirSync(join(ROOT, 'docs/images'), { recursive: true });
for (const [name, screen] of Object.entries(PICTURES)) {
  for (const theme of ['light', 'dark']) {
    const from = join(ROOT, 'screenshots', `${screen}-1440-${theme}.png`);
    copyFileSync(from, join(ROOT, 'docs/images', `${name}-${theme}.png`));
  }
}

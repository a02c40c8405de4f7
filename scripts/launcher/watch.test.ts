import { appendFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { watchFolders } from './watch.mjs';

let root: string;
let reported: string[];
let stop: () => void;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'watch-'));
  await mkdir(join(root, 'server/lib'), { recursive: true });
  await writeFile(join(root, 'server/lib/a.ts'), '');
  reported = [];
  stop = watchFolders(root, ['server', 'missing'], (path) => reported.push(path));
});
afterEach(async () => {
  stop();
  await rm(root, { recursive: true });
});

/** Does something, and waits until its path is reported. */
async function reports(path: string, work: () => Promise<unknown>): Promise<void> {
  reported.length = 0;
  await work();
  await expect.poll(() => reported).toContain(path);
}

/** As `sed -i`, editors and version control save: written beside, and moved over. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(join(root, `${path}.tmp`), text);
  await rename(join(root, `${path}.tmp`), join(root, path));
}

const FILE = join('server', 'lib', 'a.ts');

it('reports a file each time that it is replaced, and of what is written to it then', async () => {
  for (let round = 0; round < 10; round++) {
    await reports(FILE, () => replace('server/lib/a.ts', `${round}`));
    await reports(FILE, () => appendFile(join(root, FILE), ' '));
  }
});

it('reports a file that goes and comes back', async () => {
  await reports(FILE, () => rm(join(root, FILE)));
  await reports(FILE, () => writeFile(join(root, FILE), 'back'));
});

it('reports files in folders that come, go, come back and are moved', async () => {
  const deep = join('server', 'new', 'deep');
  const file = join(deep, 'b.ts');
  for (let round = 0; round < 3; round++) {
    await reports(file, async () => {
      await mkdir(join(root, deep), { recursive: true });
      await writeFile(join(root, file), '');
    });
    await reports(file, () => replace('server/new/deep/b.ts', `${round}`));
    await reports(join('server', 'new', sep), () => rm(join(root, 'server/new'), { recursive: true }));
  }
  await reports(join('server', 'lib', sep), () => rename(join(root, 'server/lib'), join(root, 'away')));
  const moved = join('server', 'moved', 'a.ts');
  await reports(moved, () => rename(join(root, 'away'), join(root, 'server/moved')));
  await reports(moved, () => appendFile(join(root, moved), ' '));
});

it('reports nothing more once it has ended', async () => {
  await reports(FILE, () => replace('server/lib/a.ts', '1'));
  stop();
  reported.length = 0;
  await replace('server/lib/a.ts', '2');
  const other = new Promise<void>((resolve) => {
    const end = watchFolders(root, ['server'], () => {
      end();
      resolve();
    });
  });
  await replace('server/lib/a.ts', '3');
  await other;
  expect(reported).toEqual([]);
});

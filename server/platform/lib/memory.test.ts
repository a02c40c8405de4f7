import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { heapLimit } from './memory.ts';

const MIB = 2 ** 20;

it.each([
  [[''], 448],
  [['--max-old-space-size=256'], 256],
  [['--max_old_space_size 128 --enable-source-maps'], 128],
  [['--max-old-space-size=256', '--max-old-space-size=200'], 200],
  [['--max-old-space-size=4096'], 448],
  [['--max-old-space-size-percentage=50'], 448],
])('the heap under %j may hold %i MiB', (options, limit) => {
  expect(heapLimit(options, 448 * MIB)).toBe(limit * MIB);
});

it('a process reads it from NODE_OPTIONS', () => {
  const file = join(import.meta.dirname, 'memory.ts');
  const script = `import(${JSON.stringify(file)}).then(({ heapLimit }) => console.log(heapLimit()))`;
  const env = { PATH: process.env.PATH, NODE_OPTIONS: '--max-old-space-size=300' };
  expect(Number(execFileSync(process.execPath, ['-e', script], { env }))).toBe(300 * MIB);
});

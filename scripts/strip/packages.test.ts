import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { packagesThatGo } from './packages.ts';

const root = mkdtempSync(join(tmpdir(), 'packages-'));
afterAll(() => rmSync(root, { recursive: true }));

it('a package goes with the last file that imports it, and its types with it', () => {
  const packages = ['alone', '@scope/alone', 'shared', 'tool', 'unused', '@types/alone', '@types/shared'];
  const files = {
    'package.json': JSON.stringify({
      devDependencies: Object.fromEntries(packages.map((one) => [one, '1'])),
    }),
    'part.ts':
      "import 'alone/deep';\nimport { a } from '@scope/alone';\nimport 'shared';\nimport 'node:fs';\n",
    'rest.mjs': "import('shared');\nconst bin = 'node_modules/tool/bin.js';\n",
    'rest.md': "`import 'alone'`\n",
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  const staying = ['package.json', 'rest.mjs', 'rest.md'];
  expect(packagesThatGo(root, ['part.ts'], staying)).toEqual(['alone', '@scope/alone', '@types/alone']);
  expect(packagesThatGo(root, [], staying, ['unused', 'tool'])).toEqual(['unused']);
});

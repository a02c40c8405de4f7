import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from './support/server.ts';

/** What stands where, and the rule that forbids it; nothing: it is allowed. */
type Row = [file: string, code: string, rule?: string];

const IMPORTS = 'noRestrictedImports';
const PLUGIN = 'plugin';
const uses = (path: string) => `import { x } from '${path}';\nexport const y = x;\n`;

const ROWS: Row[] = [
  // main → app → features → plugins → monitoring → database → lib, config → contracts
  ['server/app.ts', uses('./features/one/routes.ts')],
  ['server/features/one/routes.ts', uses('../../plugins/thing.ts')],
  ['server/features/one/queries.ts', uses('../../lib/cursor.ts')],
  ['server/features/one/table.ts', uses('./queries.ts')],
  ['server/features/one/wire.ts', uses('#contracts/one.ts')],
  ['server/features/one/deep/own.ts', uses('../queries.ts')],
  ['server/features/one/deep/fine.ts', uses('../../../lib/cursor.ts')],
  ['server/features/one/settings.ts', `import type { x } from '../../config.ts';\nexport type Y = x;\n`],
  ['server/features/one/deep/detour.ts', uses('../../../features/two/queries.ts'), IMPORTS],
  ['server/features/one/up.ts', uses('../../app.ts'), IMPORTS],
  ['server/features/one/started.ts', uses('../../start.ts'), IMPORTS],
  ['server/features/one/neighbour.ts', uses('../two/queries.ts'), IMPORTS],
  ['server/features/one/detour.ts', uses('../../features/two/queries.ts'), IMPORTS],
  ['server/features/one/deep/neighbour.ts', uses('../../two/queries.ts'), IMPORTS],
  ['server/features/one/late.ts', `export const x = () => import('../two/queries.ts');\n`, IMPORTS],
  ['server/features/one/neighbour.test.ts', uses('../two/queries.ts')],
  ['server/plugins/fine.ts', uses('../monitoring/logger.ts')],
  ['server/plugins/up.ts', uses('../features/one/table.ts'), IMPORTS],
  ['server/plugins/top.ts', uses('../app.ts'), IMPORTS],
  ['server/monitoring/fine.ts', uses('../database/pool.ts')],
  ['server/monitoring/up.ts', uses('../plugins/probes.ts'), IMPORTS],
  ['server/monitoring/top.ts', uses('../features/one/table.ts'), IMPORTS],
  ['server/database/fine.ts', uses('../config.ts')],
  ['server/database/up.ts', uses('../monitoring/logger.ts'), IMPORTS],
  ['server/database/top.ts', uses('../features/one/table.ts'), IMPORTS],
  ['server/lib/fine.ts', uses('#contracts/problem.ts')],
  ['server/lib/up.ts', uses('../database/pool.ts'), IMPORTS],
  ['server/lib/settings.ts', uses('../config.ts'), IMPORTS],
  [
    'server/config.ts',
    `${uses('./config-values.ts')}import { join } from 'node:path';\nexport const z = join;\n`,
  ],
  ['server/config-values.ts', uses('./lib/cursor.ts'), IMPORTS],
  ['server/config-hints.ts', uses('pg'), IMPORTS],

  // contracts/ imports its schema library; the client its types alone, and nothing of the server.
  ['contracts/fine.ts', `${uses('typebox')}`],
  ['contracts/sibling.ts', uses('./page.ts')],
  ['contracts/package.ts', uses('pg'), IMPORTS],
  ['contracts/up.ts', uses('../server/lib/cursor.ts'), IMPORTS],
  ['contracts/node.ts', uses('node:fs'), IMPORTS],
  ['client/src/lib/fine.ts', `import type { X } from '#contracts/one.ts';\nexport type Y = X;\n`],
  ['client/src/lib/values.ts', uses('#contracts/one.ts'), PLUGIN],
  ['client/src/lib/inside.ts', uses('../../../server/lib/cursor.ts'), IMPORTS],
  ['client/src/features/one/fine.ts', uses('@/components/button.ts')],
  ['client/src/features/one/own.ts', uses('./queries.ts')],
  ['client/src/features/one/relative.ts', uses('../../lib/api.ts')],
  ['client/src/features/one/deep/neighbour.ts', uses('../../two/queries.ts'), IMPORTS],
  ['client/src/features/one/neighbour.ts', uses('../two/queries.ts'), IMPORTS],
  ['client/src/features/one/absolute.ts', uses('@/features/two/queries.ts'), IMPORTS],
  ['client/src/features/one/detour.ts', uses('../../features/two/queries.ts'), IMPORTS],
  ['client/src/router.ts', uses('@/features/one/queries.ts')],

  // Who may touch the process.
  ['server/config-settings.ts', 'export const x = process.env.PORT;\n'],
  ['server/plugins/environment.ts', 'export const x = process.env.PORT;\n', 'noProcessEnv'],
  ['server/main.ts', 'process.on("SIGTERM", () => process.exit(0));\n'],
  ['server/plugins/exit.ts', 'export const x = () => process.exit(0);\n', PLUGIN],
  ['server/plugins/exit-bare.ts', 'export const x = () => process.exit();\n', PLUGIN],
  ['server/plugins/signals.ts', 'process.on("SIGTERM", () => {});\n', PLUGIN],
  ['server/plugins/signals-once.ts', 'process.once("SIGTERM", () => {});\n', PLUGIN],
  ['server/plugins/exit.test.ts', 'export const x = () => process.exit(0);\n'],

  // No barrel files.
  ['server/lib/index.ts', `export * from './cursor.ts';\n`, 'noBarrelFile'],
];

let folder: string;
let found: Map<string, string[]>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'doors-'));
  const biome = JSON.parse(await readFile(join(ROOT, 'biome.json'), 'utf8'));
  // Nothing here is under version control.
  await writeFile(join(folder, 'biome.json'), JSON.stringify({ ...biome, vcs: undefined }));
  await cp(join(ROOT, 'scripts/lint'), join(folder, 'scripts/lint'), { recursive: true });
  for (const [file, code] of ROWS) {
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await writeFile(join(folder, file), code);
  }
  const command = [
    join(ROOT, 'node_modules/@biomejs/biome/bin/biome'),
    'lint',
    '--reporter=json',
    '--max-diagnostics=none',
  ];
  const report = await new Promise<string>((resolve, reject) =>
    execFile(
      process.execPath,
      [...command, 'server', 'client', 'contracts'],
      { cwd: folder },
      (error, stdout) => (stdout.startsWith('{') ? resolve(stdout) : reject(error)),
    ),
  );
  found = new Map();
  for (const { category, severity, location } of JSON.parse(report).diagnostics) {
    if (severity !== 'error') continue;
    const file = typeof location.path === 'string' ? location.path : location.path.file;
    found.set(file, [...(found.get(file) ?? []), category.split('/').at(-1)]);
  }
});
afterAll(() => rm(folder, { recursive: true }));

describe('the doors', () => {
  it.each(ROWS.filter(([, , rule]) => rule))('forbid in %s (%j)', (file, _code, rule) => {
    expect(found.get(file)).toEqual([rule]);
  });

  it.each(ROWS.filter(([, , rule]) => !rule))('allow in %s (%j)', (file) => {
    expect(found.get(file)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { importViolations } from './import-rules.ts';

/** What stands where, and a part of what is said about it; nothing: it is allowed. */
type Row = [path: string, code: string, said?: string];

const uses = (path: string) => `import { x } from '${path}';\nexport const y = x;\n`;
const ONE_WAY = 'Imports point one way';
const PART = 'A part never imports another part';

const ROWS: Row[] = [
  // app → features → modules → platform; inside it process → http → health, logging, metrics → database → config, lib.
  ['server/app.ts', uses('./features/one/routes.ts')],
  ['server/app.ts', uses('./modules/one/module.ts')],
  ['server/main.ts', `${uses('./settings.ts')}export const app = () => import('./app.ts');\n`],
  ['server/features/one/routes.ts', uses('../../platform/http/thing.ts')],
  ['server/features/one/queries.ts', uses('../../platform/lib/cursor.ts')],
  ['server/features/one/table.ts', uses('./queries.ts')],
  ['server/features/one/wire.ts', uses('#contracts/one.ts')],
  ['server/features/one/deep/own.ts', uses('../queries.ts')],
  ['server/features/one/up.ts', uses('../../app.ts'), ONE_WAY],
  ['server/features/one/late.ts', `export const x = () => import('../two/queries.ts');\n`, PART],
  ['server/features/one/neighbour.ts', uses('../two/queries.ts'), PART],
  ['server/features/one/module.ts', uses('../../modules/two/thing.ts'), PART],
  ['server/features/one/several.ts', `import {\n  a,\n  b,\n} from '../two/queries.ts';\n`, PART],
  ['server/features/one/again.ts', `export { x } from '../two/queries.ts';\n`, PART],
  ['server/features/one/effect.ts', `import '../two/queries.ts';\n`, PART],
  ['server/features/one/table.ts', uses('../two/table.ts')],
  ['server/features/one/settings.ts', uses('../../platform/config/values.ts')],
  ['server/features/one/settings.ts', uses('../../platform/lib/cursor.ts'), 'platform/config alone'],
  ['server/features/one/settings.ts', uses('./queries.ts'), 'platform/config alone'],
  ['server/modules/one/settings.ts', uses('pg'), 'platform/config alone'],
  ['server/settings.ts', uses('./features/one/settings.ts')],
  ['server/settings.ts', uses('./platform/config/setting.ts')],
  ['server/settings.ts', uses('./features/one/queries.ts'), 'those of the parts'],
  ['server/settings.ts', uses('zod'), 'platform/config alone'],
  ['server/modules/one/up.ts', uses('../../features/one/table.ts'), ONE_WAY],
  ['server/modules/one/neighbour.ts', uses('../two/table.ts'), PART],
  ['server/platform/http/fine.ts', uses('../logging/logger.ts')],
  ['server/platform/http/fine.ts', uses('../parts.ts')],
  ['server/platform/http/up.ts', uses('../process/start.ts'), ONE_WAY],
  ['server/platform/http/part.ts', uses('../../modules/one/table.ts'), ONE_WAY],
  ['server/platform/metrics/fine.ts', uses('../health/lifecycle.ts')],
  ['server/platform/metrics/up.ts', uses('../http/probes.ts'), ONE_WAY],
  ['server/platform/database/fine.ts', uses('../config/config.ts')],
  ['server/platform/database/up.ts', uses('../logging/logger.ts'), ONE_WAY],
  ['server/platform/lib/up.ts', uses('../database/pool/pool.ts'), ONE_WAY],
  ['server/platform/lib/fine.ts', uses('#contracts/problem.ts')],
  ['server/platform/config/config.ts', `${uses('./values.ts')}import { join } from 'node:path';\n`],
  ['server/platform/config/hints.ts', uses('pg'), 'own modules alone'],

  // contracts/ imports its schema library; the client nothing of the server.
  ['contracts/fine.ts', uses('typebox')],
  ['contracts/sibling.ts', uses('./page.ts')],
  ['contracts/package.ts', uses('pg'), 'schema library'],
  ['contracts/up.ts', uses('../server/platform/lib/cursor.ts'), 'schema library'],
  ['contracts/node.ts', uses('node:fs'), 'schema library'],
  ['client/src/kit/fine.ts', `import type { X } from '#contracts/one.ts';\nexport type Y = X;\n`],
  ['client/src/kit/values.ts', uses('#contracts/one.ts')],
  ['client/src/kit/inside.ts', uses('../../../server/platform/lib/cursor.ts'), 'nothing of the server'],
  ['client/src/kit/up.ts', uses('@/features/one/queries.ts'), ONE_WAY],
  ['client/src/features/one/fine.ts', uses('@/kit/components/button.tsx')],
  ['client/src/features/one/own.ts', uses('./queries.ts')],
  ['client/src/features/one/neighbour.ts', uses('../two/queries.ts'), PART],
  ['client/src/features/one/absolute.ts', uses('@/features/two/queries.ts'), PART],
  ['client/src/features/one/detour.ts', uses('../../features/two/queries.ts'), PART],
  ['client/src/router.tsx', uses('@/features/one/queries.ts')],

  // Who may touch the process.
  ['server/platform/config/settings.ts', 'export const x = process.env.PORT;\n'],
  ['server/platform/http/environment.ts', 'export const x = process.env.PORT;\n', 'environment variables'],
  ['server/platform/process/main.ts', 'process.on("SIGTERM", () => process.exit(0));\n'],
  ['server/platform/http/exit.ts', 'export const x = () => process.exit(0);\n', 'ends the process'],
  ['server/platform/http/signals.ts', 'process.on("SIGTERM", () => {});\n', 'ends the process'],
  ['server/platform/http/signals-once.ts', 'process.once("SIGTERM", () => {});\n', 'ends the process'],

  [
    'server/platform/http/taken.ts',
    'const { env, argv } = process;\nexport { argv, env };\n',
    'environment variables',
  ],
  ['server/platform/http/other-side.ts', uses('../../../client/src/kit/lib/api.ts'), 'nothing of the client'],
  // A string that looks like the beginning of a comment hides nothing.
  [
    'server/platform/http/hidden.ts',
    "export const all = '/api/*';\nprocess.exit(0);\n/* the end */\n",
    'ends the process',
  ],

  // What is said about it is no use of it.
  ['server/features/one/said.ts', `// as import('../two/queries.ts') does\n/* process.env */ export {};\n`],
];

describe('import rules', () => {
  it.each(ROWS)('%s: %j', (path, code, said) => {
    const found = importViolations([{ path, code }]);
    if (said === undefined) expect(found).toEqual([]);
    else expect(found).toEqual([expect.stringContaining(said)]);
  });

  it('names the line', () => {
    const [found] = importViolations([{ path: 'server/features/a/b.ts', code: `\n\n${uses('../c/d.ts')}` }]);
    expect(found).toMatch(/^server\/features\/a\/b\.ts:3: /);
  });
});

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { MigrationError } from '../../server/platform/database/migrations/errors.ts';
import { type Migration, readMigrations } from '../../server/platform/database/migrations/files.ts';
import { splitStatements } from '../../server/platform/database/migrations/statements.ts';
import { ROOT, report } from '../check-files.ts';
import { ownerOf } from '../strip/migrations.ts';
import { readParts, strippedParts } from '../strip/parts.ts';

/**
 * Everything that is wrong with a project's migrations, as sentences; nothing if they are well-formed and make exactly
 * the tables that the sources describe.
 *
 * @param root The project's folder.
 */
export async function checkMigrations(root: string): Promise<string[]> {
  const folder = join(root, 'drizzle');
  let migrations: Migration[];
  try {
    migrations = await readMigrations(folder);
  } catch (error) {
    if (error instanceof MigrationError) return [error.message];
    throw error;
  }
  const problems = [
    ...checkNames(root, migrations),
    ...migrations.flatMap(checkSql),
    ...checkSnapshots(folder, migrations),
  ];
  return problems.length > 0 ? problems : checkTables(root);
}

/** The name of a new migration begins with its part, so that `npm run strip` finds it. */
function checkNames(root: string, migrations: Migration[]): string[] {
  const parts = ['platform', ...readParts(root).map(({ name }) => name)];
  const committed = spawnSync('git', ['ls-tree', '--name-only', 'HEAD', 'drizzle/'], {
    cwd: root,
    encoding: 'utf8',
  }).stdout.split('\n');
  return (
    migrations
      .filter(({ name }) => !committed.includes(`drizzle/${name}.sql`))
      // The tables of a stripped part may be dropped later.
      .filter(({ name }) => ownerOf(name, [...parts, ...strippedParts(root)]) === undefined)
      .map(
        ({ name }) =>
          `drizzle/${name}.sql belongs to no part: its name begins with none of ${parts.join(', ')}. ` +
          'Delete it, its snapshot and its journal entry, and name it after its part and what it does: npm run db:generate -- --name notes_add_colour',
      )
  );
}

const CREATE_INDEX = /^create\s+(unique\s+)?index\s+concurrently\s+(if\s+not\s+exists\s+\S+\s+on\b)?/i;
const NOT_IN_TRANSACTION = /\bindex\s+concurrently\b|\bdetach\s+partition\b.*\bconcurrently\b|^vacuum\b/is;
const TRANSACTION_CONTROL = /^(begin|start\s+transaction|commit|end|rollback|abort)\b/i;

function checkSql({ name, sql, transaction }: Migration): string[] {
  const file = `drizzle/${name}.sql`;
  const statements = splitStatements(sql).map(({ bare }) => bare);
  const problems: string[] = [];
  if (sql.includes('\r')) {
    problems.push(`${file} has CR line endings: it would be recorded under another hash. Save it with LF.`);
  }
  if (!transaction) {
    if (statements.length !== 1) {
      problems.push(
        `${file} is marked -- no-transaction and holds ${statements.length} statements; it may hold one. Give each its own: npm run db:generate -- --custom`,
      );
    }
    const create = CREATE_INDEX.exec(statements[0] ?? '');
    if (create && !create[2]) {
      problems.push(
        `${file} must say "create index concurrently if not exists <name> on": outside a transaction it may run twice.`,
      );
    }
  } else if (statements.some((statement) => NOT_IN_TRANSACTION.test(statement))) {
    problems.push(
      `${file} holds what PostgreSQL refuses in a transaction. Make its first line: -- no-transaction`,
    );
  }
  if (statements.some((statement) => TRANSACTION_CONTROL.test(statement))) {
    problems.push(
      `${file} begins or ends a transaction; the migrator does that, so that all of it is kept or nothing.`,
    );
  }
  return problems;
}

/** drizzle-kit compares the tables with the newest snapshot, so each snapshot must follow from the previous one. */
function checkSnapshots(folder: string, migrations: Migration[]): string[] {
  const problems: string[] = [];
  let previous: string | undefined;
  for (const { name } of migrations) {
    const snapshot = `meta/${name.split('_')[0]}_snapshot.json`;
    if (!existsSync(join(folder, snapshot))) {
      return [
        ...problems,
        `${name}.sql has no snapshot drizzle/${snapshot}. Restore it from version control.`,
      ];
    }
    const { id, prevId } = JSON.parse(readFileSync(join(folder, snapshot), 'utf8')) as {
      id: string;
      prevId: string;
    };
    if (previous !== undefined && prevId !== previous) {
      problems.push(
        `${name}.sql was generated from other tables than the migration before it left, as happens when two branches are merged. ` +
          'Delete it, its snapshot and its journal entry, and generate it again: npm run db:generate -- --name <part>_<what it does>',
      );
    }
    previous = id;
  }
  return problems;
}

/** drizzle-kit generates the difference into a copy: it must be empty. */
function checkTables(root: string): string[] {
  mkdirSync(join(root, '.data'), { recursive: true });
  const scratch = mkdtempSync(join(root, '.data', 'migrations-check-'));
  const name = `.data/${basename(scratch)}`;
  try {
    const copy = join(scratch, 'drizzle');
    if (existsSync(join(root, 'drizzle'))) cpSync(join(root, 'drizzle'), copy, { recursive: true });
    writeFileSync(
      join(scratch, 'drizzle.config.ts'),
      `import config from '../../drizzle.config.ts';\nexport default { ...config, out: '${name}/drizzle' };\n`,
    );
    const before = sqlFiles(copy);
    const kit = spawnSync(
      process.execPath,
      [join(root, 'node_modules/drizzle-kit/bin.cjs'), 'generate', `--config=${name}/drizzle.config.ts`],
      { cwd: root, encoding: 'utf8', timeout: 60_000 },
    );
    const added = sqlFiles(copy).filter((file) => !before.includes(file));
    if (kit.status === 0 && added.length === 0) return [];
    const difference = added.map((file) => readFileSync(join(copy, file), 'utf8')).join('\n');
    return [
      `The tables in server/**/table.ts are not what the migrations make. Run: npm run db:generate -- --name <part>_<what it does>\n${difference || kit.stdout + kit.stderr}`,
    ];
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function sqlFiles(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.sql')) : [];
}

if (import.meta.main) report(await checkMigrations(ROOT));

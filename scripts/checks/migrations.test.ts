import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkMigrations } from './migrations.ts';

const project = resolve(import.meta.dirname, '../..');
let root: string;
let drizzle: string;

/** A project with one table, and the migration that makes it. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'migrations-check-'));
  drizzle = join(root, 'drizzle');
  await mkdir(join(root, 'server/features/birds'), { recursive: true });
  await writeTable('');
  await writeFile(join(root, 'server/features/birds/part.ts'), '');
  await cp(join(project, 'drizzle.config.ts'), join(root, 'drizzle.config.ts'));
  await cp(join(project, 'package.json'), join(root, 'package.json'));
  await symlink(join(project, 'node_modules'), join(root, 'node_modules'), 'junction');
  await mkdir(join(drizzle, 'meta'), { recursive: true });
  await add('0000_birds_create', 'CREATE TABLE "birds" (\n\t"name" text NOT NULL\n);\n');
});
afterEach(() => rm(root, { recursive: true }));

const writeTable = (more: string) =>
  writeFile(
    join(root, 'server/features/birds/table.ts'),
    `import { integer, pgTable, text } from 'drizzle-orm/pg-core';
export const birds = pgTable('birds', { name: text().notNull(), ${more} });`,
  );

/** Adds a migration as drizzle-kit writes them, whose tables are those of the first. */
async function add(name: string, sql: string): Promise<void> {
  const index = (await readdir(drizzle)).length - 1;
  const id = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;
  const snapshot = {
    id: id(index + 1),
    prevId: id(index),
    version: '7',
    dialect: 'postgresql',
    tables: {
      'public.birds': {
        name: 'birds',
        schema: '',
        columns: { name: { name: 'name', type: 'text', primaryKey: false, notNull: true } },
        indexes: {},
        foreignKeys: {},
        compositePrimaryKeys: {},
        uniqueConstraints: {},
        policies: {},
        checkConstraints: {},
        isRLSEnabled: false,
      },
    },
    enums: {},
    schemas: {},
    sequences: {},
    roles: {},
    policies: {},
    views: {},
    _meta: { columns: {}, schemas: {}, tables: {} },
  };
  await writeFile(join(drizzle, 'meta', `${name.slice(0, 4)}_snapshot.json`), JSON.stringify(snapshot));
  await writeFile(join(drizzle, `${name}.sql`), sql);
  const path = join(drizzle, 'meta', '_journal.json');
  const journal = await readFile(path, 'utf8').then(JSON.parse, () => ({ entries: [] }));
  journal.entries.push({ idx: index, version: '7', when: 1_000 + index, tag: name, breakpoints: true });
  await writeFile(path, JSON.stringify({ version: '7', dialect: 'postgresql', ...journal }));
}

describe('migrations', () => {
  it('that make what the tables describe are fine, and the check leaves nothing behind', async () => {
    await add('0001_birds_rows', `INSERT INTO birds VALUES ('a;b'); -- and a comment; with a semicolon\n`);
    await add(
      '0002_birds_index',
      '-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS "birds_name" ON "birds" ("name");\n',
    );
    expect(await checkMigrations(root)).toEqual([]);
    expect(await readdir(join(root, '.data'))).toEqual([]);
    expect(await readdir(drizzle)).toHaveLength(4);
  });

  it('that are behind the tables are told, with what is missing', async () => {
    await writeTable('legs: integer()');
    const [problem] = await checkMigrations(root);
    expect(problem).toContain('npm run db:generate');
    expect(problem).toContain('ADD COLUMN "legs" integer');
  });

  it('of a project whose tables are all gone are told, until they drop them', async () => {
    await rm(join(root, 'server/features/birds/table.ts'));
    expect((await checkMigrations(root))[0]).toContain('DROP TABLE "birds"');
    await rm(drizzle, { recursive: true });
    expect(await checkMigrations(root)).toEqual([]);
  });

  it.each([
    ['-- no-transaction\nVACUUM birds; VACUUM birds;', 'holds 2 statements'],
    ['-- no-transaction\nCREATE INDEX CONCURRENTLY "x" ON "birds" ("name");', 'if not exists <name> on'],
    ['-- no-transaction\nCREATE INDEX CONCURRENTLY ON "birds" ("name");', 'if not exists <name> on'],
    ['CREATE INDEX CONCURRENTLY "x" ON "birds" ("name");', 'Make its first line: -- no-transaction'],
    ['UPDATE birds SET name = $$;$$; COMMIT; SELECT 1;', 'begins or ends a transaction'],
    ['SELECT 1;\r\nSELECT 2;', 'CR line endings'],
  ])('with %j are refused', async (sql, problem) => {
    await add('0001_birds_wrong', sql);
    expect(await checkMigrations(root)).toEqual([expect.stringContaining(problem)]);
  });

  it('that belong to no part are refused, with the command that names one; not what was committed or stripped', async () => {
    await add('0001_platform_mood', 'SELECT 1;');
    await add('0002_fish_drop', 'SELECT 1;');
    await writeFile(join(root, '.template.json'), '{ "stripped": { "fish": "1.0.0" } }');
    expect(await checkMigrations(root)).toEqual([]);
    await add('0003_lame_hulk', 'SELECT 1;');
    const [problem] = await checkMigrations(root);
    expect(problem).toContain('drizzle/0003_lame_hulk.sql belongs to no part');
    expect(problem).toContain('npm run db:generate -- --name');
    const git = (...args: string[]) => execFileSync('git', args, { cwd: root });
    git('init', '-q');
    git('add', 'drizzle');
    git('-c', 'user.name=a', '-c', 'user.email=a@example.com', 'commit', '-qm', 'Begin');
    expect(await checkMigrations(root)).toEqual([]);
  });

  it('without their snapshot, or with one of another branch, are refused', async () => {
    await add('0001_birds_rows', 'SELECT 1;');
    const snapshot = join(drizzle, 'meta/0001_snapshot.json');
    await writeFile(snapshot, (await readFile(snapshot, 'utf8')).replace('000000000001', '000000000009'));
    expect(await checkMigrations(root)).toEqual([expect.stringContaining('two branches are merged')]);
    await rm(snapshot);
    expect(await checkMigrations(root)).toEqual([
      expect.stringContaining('no snapshot drizzle/meta/0001_snapshot.json'),
    ]);
  });
});

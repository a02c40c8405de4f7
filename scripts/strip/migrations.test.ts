import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMigrations } from '../../server/platform/database/migrations/files.ts';
import { type Changes, writeChanges } from './changes.ts';
import {
  dropRetired,
  isRetired,
  migrationsOf,
  ownerOf,
  retireTables,
  takeOutMigrations,
} from './migrations.ts';

let root: string;
const drizzle = (...path: string[]) => join(root, 'drizzle', ...path);
const read = (...path: string[]) => JSON.parse(readFileSync(drizzle(...path), 'utf8'));
const apply = (changes: Changes) => writeChanges(root, changes);
const NONE = '00000000-0000-0000-0000-000000000000';

/** A history of three: the birds' table, the fish's, and a column of the birds'. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'strip-'));
  mkdirSync(drizzle('meta'), { recursive: true });
  const steps = [
    ['0000_birds_create', ['birds']],
    ['0001_fish_create', ['birds', 'fish']],
    ['0002_birds_colour', ['birds', 'fish']],
  ] as const;
  for (const [index, [tag, tables]] of steps.entries()) {
    writeFileSync(drizzle(`${tag}.sql`), 'select 1;\n');
    const snapshot = {
      id: `id-${index}`,
      prevId: index === 0 ? NONE : `id-${index - 1}`,
      tables: Object.fromEntries(tables.map((table) => [`public.${table}`, { name: table }])),
      enums: index === 0 ? { 'public.size': {} } : { 'public.size': {}, 'public.depth': {} },
    };
    writeFileSync(drizzle('meta', `000${index}_snapshot.json`), JSON.stringify(snapshot));
  }
  const entries = steps.map(([tag], idx) => ({ idx, tag, when: idx + 1 }));
  writeFileSync(drizzle('meta/_journal.json'), JSON.stringify({ version: '7', entries }));
});
afterEach(() => rmSync(root, { recursive: true }));

describe('before a first deployment', () => {
  it('a part leaves no trace in the history, and the rest is as if it had never been', async () => {
    expect(migrationsOf(root, ['birds'])).toEqual(['0000_birds_create', '0002_birds_colour']);
    apply(takeOutMigrations(root, ['birds']));
    expect(await readMigrations(drizzle())).toMatchObject([{ name: '0001_fish_create' }]);
    const left = read('meta/0001_snapshot.json');
    expect(left).toMatchObject({ id: 'id-1', prevId: NONE });
    expect(left.tables).toEqual({ 'public.fish': { name: 'fish' } });
    expect(left.enums).toEqual({ 'public.depth': {} });
    expect(existsSync(drizzle('meta/0002_snapshot.json'))).toBe(false);
  });

  it('another part leaves the earlier snapshots alone and mends the chain of the later ones', () => {
    apply(takeOutMigrations(root, ['fish']));
    expect(read('meta/0002_snapshot.json')).toMatchObject({ prevId: 'id-0' });
    expect(Object.keys(read('meta/0002_snapshot.json').tables)).toEqual(['public.birds']);
  });

  it('without any part there are no migrations', async () => {
    apply(takeOutMigrations(root, ['birds', 'fish']));
    expect(await readMigrations(drizzle())).toEqual([]);
  });

  it('a part that was stripped earlier keeps its migrations where the name of another begins its own', () => {
    writeFileSync(join(root, '.template.json'), JSON.stringify({ stripped: { 'birds-colour': '1' } }));
    writeFileSync(drizzle('0003_birds_colour_more.sql'), 'select 1;\n');
    expect(migrationsOf(root, ['birds'])).toEqual(['0000_birds_create', '0002_birds_colour']);
  });

  it('a name that begins with that of another part is not its', () => {
    expect(migrationsOf(root, ['bird'])).toEqual([]);
    expect(ownerOf('0003_mail_queue_create', ['mail', 'mail-queue'])).toBe('mail-queue');
    expect(ownerOf('0003_lame_hulk', ['mail'])).toBeUndefined();
  });
});

describe('after a deployment', () => {
  const folder = 'server/features/birds';

  beforeEach(() => {
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(
      join(root, folder, 'table.ts'),
      "import { fish } from '../fish/table.ts';\nimport { pgTable } from 'drizzle-orm/pg-core';\n",
    );
    writeFileSync(join(root, folder, 'drop.sql'), 'drop function sing();\n');
  });

  it('the declarations wait where drizzle-kit finds them, with imports that still lead somewhere', () => {
    apply(retireTables(root, 'birds', folder));
    expect(readFileSync(drizzle('retired/birds.ts'), 'utf8')).toBe(
      "import { fish } from '../../server/features/fish/table.ts';\nimport { pgTable } from 'drizzle-orm/pg-core';\n",
    );
  });

  it('a later release drops the tables, and first what drizzle-kit does not know', () => {
    expect(isRetired(root, 'birds')).toBe(false);
    apply(retireTables(root, 'birds', folder));
    expect(isRetired(root, 'birds')).toBe(true);
    const file = dropRetired(root, 'birds', (name) => {
      expect(existsSync(drizzle('retired/birds.ts'))).toBe(false);
      writeFileSync(drizzle(`0003_${name}.sql`), 'DROP TABLE "birds";');
    });
    expect(file).toBe('drizzle/0003_birds_drop.sql');
    expect(readFileSync(join(root, file), 'utf8')).toBe(
      'drop function sing();\n--> statement-breakpoint\nDROP TABLE "birds";',
    );
    expect(existsSync(drizzle('retired'))).toBe(false);
  });
});

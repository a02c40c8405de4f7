/**
 * The migrations of a part: the files `drizzle/NNNN_<part>_<what>.sql`.
 *
 * Before a first deployment they are removed from the history. After one the history stays, and the declarations of the tables move
 * to `drizzle/retired/`, where drizzle-kit finds them until a later release drops them.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { Changes } from './changes.ts';
import { readParts, strippedParts } from './parts.ts';

interface Entry {
  idx: number;
  tag: string;
}

interface Snapshot extends Record<string, unknown> {
  id: string;
  prevId: string;
}

/** The collections of a snapshot, in which each thing has a key of its own. */
const KINDS = ['tables', 'enums', 'schemas', 'sequences', 'roles', 'policies', 'views'];
const JOURNAL = 'drizzle/meta/_journal.json';
const snapshotFile = ({ tag }: Entry) => `drizzle/meta/${tag.split('_')[0]}_snapshot.json`;
const FIRST = '00000000-0000-0000-0000-000000000000';

/**
 * The part of a migration, by its name: `0007_notes_add_colour` belongs to `notes`.
 *
 * @param names Names of parts. The longest match counts; `-` in a name is `_` in the migration.
 */
export function ownerOf(tag: string, names: Iterable<string>): string | undefined {
  const what = tag.slice(tag.indexOf('_') + 1).replaceAll('-', '_');
  return [...names]
    .filter((name) => what.startsWith(`${name.replaceAll('-', '_')}_`))
    .sort((one, other) => other.length - one.length)[0];
}

/** Whether a migration belongs to one of these parts, and not to another part, present or stripped, with a longer name. */
function belonging(root: string, names: readonly string[]): (tag: string) => boolean {
  const all = [...names, ...strippedParts(root), ...readParts(root).map(({ name }) => name)];
  return (tag) => names.includes(ownerOf(tag, all) ?? '');
}

/** @returns The tags of the parts' migrations. */
export function migrationsOf(root: string, names: readonly string[]): string[] {
  const folder = join(root, 'drizzle');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.slice(0, -4))
    .filter(belonging(root, names))
    .sort();
}

/**
 * Removes the migrations of parts from the history, and their tables from the later snapshots.
 *
 * @returns The changes to write.
 * @throws Error if the history cannot be read.
 */
export function takeOutMigrations(root: string, names: readonly string[]): Changes {
  const changes: Changes = new Map();
  if (!existsSync(join(root, JOURNAL))) return changes;
  const belongs = belonging(root, names);
  const journal = readJson<{ entries: Entry[] }>(root, JOURNAL);
  /** By kind: the keys that the parts' migrations have added. */
  const added = new Map(KINDS.map((kind) => [kind, new Set<string>()]));
  let before: Snapshot | undefined;
  let previousId = FIRST;
  const kept: Entry[] = [];
  for (const entry of journal.entries) {
    const file = snapshotFile(entry);
    const snapshot = readJson<Snapshot>(root, file);
    const goes = belongs(entry.tag);
    for (const [kind, keys] of added) {
      const now = (snapshot[kind] ?? {}) as Record<string, unknown>;
      const old = (before?.[kind] ?? {}) as Record<string, unknown>;
      if (goes) for (const key of Object.keys(now)) if (!(key in old)) keys.add(key);
    }
    before = structuredClone(snapshot);
    if (goes) {
      changes.set(file, undefined).set(`drizzle/${entry.tag}.sql`, undefined);
      continue;
    }
    for (const [kind, keys] of added) {
      const now = snapshot[kind] as Record<string, unknown> | undefined;
      for (const key of keys) if (now) delete now[key];
    }
    snapshot.prevId = previousId;
    previousId = snapshot.id;
    changes.set(file, json(snapshot));
    kept.push(entry);
  }
  if (kept.length === 0) return new Map([['drizzle', undefined]]);
  return changes.set(JOURNAL, json({ ...journal, entries: kept }));
}

/**
 * Existing tables that the migrations of a part created and its `table.ts` does not declare. Such a migration may belong to another
 * part whose name begins in the same way.
 *
 * @returns Pairs of a migration's tag and the table's name.
 */
export function foreignTables(
  root: string,
  name: string,
  declared: readonly string[],
): [tag: string, table: string][] {
  if (!existsSync(join(root, JOURNAL))) return [];
  const { entries } = readJson<{ entries: Entry[] }>(root, JOURNAL);
  const belongs = belonging(root, [name]);
  const tables = entries.map((entry) =>
    Object.keys(readJson<Snapshot>(root, snapshotFile(entry)).tables ?? {}),
  );
  return entries.flatMap(({ tag }, at) =>
    (belongs(tag) ? (tables[at] ?? []) : [])
      .filter((key) => !tables[at - 1]?.includes(key) && tables.at(-1)?.includes(key))
      .map((key): [string, string] => [tag, key.slice(key.indexOf('.') + 1)])
      .filter(([, table]) => !declared.includes(table)),
  );
}

/**
 * Keeps the declarations of a part's tables, and its `drop.sql`, for the release that drops them.
 *
 * @returns The changes to write.
 */
export function retireTables(root: string, name: string, folder: string): Changes {
  const changes: Changes = new Map();
  const table = join(root, folder, 'table.ts');
  if (!existsSync(table)) return changes;
  const code = readFileSync(table, 'utf8').replace(
    /(from\s*['"])(\.[^'"]+)/g,
    (_, from: string, path: string) => from + posix.relative('drizzle/retired', posix.join(folder, path)),
  );
  changes.set(`drizzle/retired/${name}.ts`, code);
  const drop = join(root, folder, 'drop.sql');
  if (existsSync(drop)) changes.set(`drizzle/retired/${name}.drop.sql`, readFileSync(drop, 'utf8'));
  return changes;
}

/** Whether tables of this part wait for the release that drops them. */
export const isRetired = (root: string, name: string): boolean =>
  existsSync(join(root, 'drizzle/retired', `${name}.ts`));

/**
 * Completes `retireTables`: drizzle-kit writes the migration that drops the tables. The part's `drop.sql` comes first.
 *
 * @param generate Runs drizzle-kit's `generate` with a name for the migration.
 * @returns The migration's file, from the project's root.
 */
export function dropRetired(root: string, name: string, generate: (migration: string) => void): string {
  const declaration = join(root, 'drizzle/retired', `${name}.ts`);
  const drop = join(root, 'drizzle/retired', `${name}.drop.sql`);
  rmSync(declaration);
  generate(`${name}_drop`);
  const [file] = readdirSync(join(root, 'drizzle'))
    .filter((one) => one.endsWith(`_${name}_drop.sql`))
    .sort()
    .slice(-1);
  if (file === undefined) throw new Error(`drizzle-kit wrote no migration for '${name}'.`);
  if (existsSync(drop)) {
    const path = join(root, 'drizzle', file);
    const own = readFileSync(drop, 'utf8').trim();
    writeFileSync(path, `${own}\n--> statement-breakpoint\n${readFileSync(path, 'utf8')}`);
    rmSync(drop);
  }
  if (readdirSync(join(root, 'drizzle/retired')).length === 0)
    rmSync(join(root, 'drizzle/retired'), { recursive: true });
  return `drizzle/${file}`;
}

function readJson<Content>(root: string, file: string): Content {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8'));
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

const json = (content: unknown) => `${JSON.stringify(content, undefined, 2)}\n`;

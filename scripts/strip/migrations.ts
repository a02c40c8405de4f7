/**
 * What becomes of a part's migrations, which are the files `drizzle/NNNN_<part>_<what>.sql`.
 *
 * Before a first deployment they are taken out of the history, as if they had never been. After one the history stays: the
 * tables' declarations move to `drizzle/retired/`, where drizzle-kit still finds them, until a later release drops them.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { readParts } from './parts.ts';

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
const FIRST = '00000000-0000-0000-0000-000000000000';

/**
 * Whose a migration is, by its name: `0007_notes_add_colour` is that of `notes`.
 *
 * @param names Of parts. Of several that fit the longest counts; `-` in one is `_` in a migration's name.
 */
export function ownerOf(tag: string, names: Iterable<string>): string | undefined {
  const what = tag.slice(tag.indexOf('_') + 1).replaceAll('-', '_');
  return [...names]
    .filter((name) => what.startsWith(`${name.replaceAll('-', '_')}_`))
    .sort((one, other) => other.length - one.length)[0];
}

/** Whether a migration is that of one of these parts, and not of another whose name begins like theirs. */
function belonging(root: string, names: readonly string[]): (tag: string) => boolean {
  const all = [...names, ...readParts(root).map(({ name }) => name)];
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

/** Takes the parts' migrations out of the history, and what they made out of the later snapshots. */
export function takeOutMigrations(root: string, names: readonly string[]): void {
  const journalFile = join(root, 'drizzle/meta/_journal.json');
  if (!existsSync(journalFile)) return;
  const belongs = belonging(root, names);
  const journal = readJson<{ entries: Entry[] }>(journalFile);
  const snapshotFile = ({ tag }: Entry) => join(root, 'drizzle/meta', `${tag.split('_')[0]}_snapshot.json`);
  /** By kind: the keys that the parts' migrations have added. */
  const added = new Map(KINDS.map((kind) => [kind, new Set<string>()]));
  let before: Snapshot | undefined;
  let previousId = FIRST;
  const kept: Entry[] = [];
  for (const entry of journal.entries) {
    const file = snapshotFile(entry);
    const snapshot = readJson<Snapshot>(file);
    const goes = belongs(entry.tag);
    for (const [kind, keys] of added) {
      const now = (snapshot[kind] ?? {}) as Record<string, unknown>;
      const old = (before?.[kind] ?? {}) as Record<string, unknown>;
      if (goes) for (const key of Object.keys(now)) if (!(key in old)) keys.add(key);
    }
    before = structuredClone(snapshot);
    if (goes) {
      rmSync(file);
      rmSync(join(root, 'drizzle', `${entry.tag}.sql`));
      continue;
    }
    for (const [kind, keys] of added) {
      const now = snapshot[kind] as Record<string, unknown> | undefined;
      for (const key of keys) if (now) delete now[key];
    }
    snapshot.prevId = previousId;
    previousId = snapshot.id;
    writeJson(file, snapshot);
    kept.push(entry);
  }
  if (kept.length === 0) rmSync(join(root, 'drizzle'), { recursive: true });
  else writeJson(journalFile, { ...journal, entries: kept });
}

/** Keeps the declarations of a part's tables, and its `drop.sql`, for the release that drops them. */
export function retireTables(root: string, name: string, folder: string): void {
  const retired = join(root, 'drizzle/retired');
  const table = join(root, folder, 'table.ts');
  if (!existsSync(table)) return;
  mkdirSync(retired, { recursive: true });
  const code = readFileSync(table, 'utf8').replace(
    /(from\s*['"])(\.[^'"]+)/g,
    (_, from: string, path: string) => from + posix.relative('drizzle/retired', posix.join(folder, path)),
  );
  writeFileSync(join(retired, `${name}.ts`), code);
  const drop = join(root, folder, 'drop.sql');
  if (existsSync(drop)) writeFileSync(join(retired, `${name}.drop.sql`), readFileSync(drop));
}

/** Whether tables of that name wait for the release that drops them. */
export const isRetired = (root: string, name: string): boolean =>
  existsSync(join(root, 'drizzle/retired', `${name}.ts`));

/**
 * Ends what `retireTables` has begun: lets drizzle-kit write the migration that drops the tables, with the part's `drop.sql`
 * before it.
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

const readJson = <Content>(file: string): Content => JSON.parse(readFileSync(file, 'utf8'));
const writeJson = (file: string, content: unknown) =>
  writeFileSync(file, `${JSON.stringify(content, undefined, 2)}\n`);

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MigrationError } from './errors.ts';

export interface Migration {
  /** The file's name without `.sql`. */
  name: string;
  /** Milliseconds since 1970: what drizzle-kit wrote into the journal, and records as `created_at`. */
  when: number;
  /** SHA-256 of the file's text, as drizzle records it. */
  hash: string;
  sql: string;
  /** False for a file whose first line is `-- no-transaction`. */
  transaction: boolean;
}

/** Where drizzle-kit ends one statement and begins the next. */
export const BREAKPOINT = '--> statement-breakpoint';

const NO_TRANSACTION = /^-- no-transaction\s*$/m;

/**
 * Reads what drizzle-kit has written: `meta/_journal.json` and the SQL files that it names, in its order.
 *
 * A folder with neither is a project without tables, and has no migrations.
 *
 * @throws MigrationError `malformed` or `missing-file`.
 */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const files = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith('.sql'));
  const journal = await readJournal(folder);
  const migrations = await Promise.all(
    journal.map(async ({ tag, when }): Promise<Migration> => {
      const sql = await readFile(join(folder, `${tag}.sql`), 'utf8').catch((error: unknown) => {
        throw new MigrationError(
          'missing-file',
          tag,
          `The migration ${tag}.sql is named in ${folder}/meta/_journal.json, but cannot be read. Restore the file from version control.`,
          error,
        );
      });
      const hash = createHash('sha256').update(sql).digest('hex');
      return { name: tag, when, hash, sql, transaction: NO_TRANSACTION.exec(sql)?.index !== 0 };
    }),
  );
  for (const [index, migration] of migrations.entries()) {
    const previous = migrations[index - 1];
    if (previous && migration.when <= previous.when) {
      throw new MigrationError(
        'malformed',
        migration.name,
        `In ${folder}/meta/_journal.json, ${migration.name} is not newer than ${previous.name} before it, as happens when two branches are merged. ` +
          `Delete ${migration.name}.sql, its snapshot and its entry, and generate it again: npm run db:generate`,
      );
    }
  }
  const unnamed = files.find((file) => !journal.some(({ tag }) => `${tag}.sql` === file));
  if (unnamed) {
    throw new MigrationError(
      'malformed',
      unnamed.replace(/\.sql$/, ''),
      `${unnamed} stands in ${folder}, but not in its meta/_journal.json, so it would never be applied. ` +
        'Make an entry for hand-written SQL with: npm run db:generate -- --custom',
    );
  }
  return migrations;
}

async function readJournal(folder: string): Promise<{ tag: string; when: number }[]> {
  const path = join(folder, 'meta', '_journal.json');
  try {
    const { entries } = JSON.parse(await readFile(path, 'utf8'));
    for (const { tag, when } of entries) {
      if (typeof tag !== 'string' || !Number.isSafeInteger(when))
        throw new Error('an entry lacks its tag or when');
    }
    return entries;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw new MigrationError(
      'malformed',
      undefined,
      `${path} cannot be read as a journal of drizzle-kit (${message}). Restore it from version control; merge conflicts in it are solved by keeping both entries.`,
      error,
    );
  }
}

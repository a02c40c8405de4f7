import pg from 'pg';
import type { Queryable } from '../pool/client.ts';
import { MigrationError } from './errors.ts';
import type { Migration } from './files.ts';
import { splitStatements } from './statements.ts';

export const JOURNAL = 'drizzle.__drizzle_migrations';
/** Exactly what drizzle-orm's own migrator makes. */
export const CREATE_JOURNAL = `create schema if not exists drizzle;
  create table if not exists ${JOURNAL} (id serial primary key, hash text not null, created_at bigint)`;

/** A row of `drizzle.__drizzle_migrations`. */
export interface RecordedMigration {
  hash: string;
  when: number;
}

export interface History {
  applied: Migration[];
  pending: Migration[];
  /** The newest files that hold no statement yet: they are about to be written, so they wait. */
  unwritten: Migration[];
  /** Recorded by a newer release than this one: what is seen after a rollback. */
  ahead: RecordedMigration[];
  /** The first thing that forbids to go on. */
  problem?: MigrationError;
}

/** Compares the files with what the database has recorded. */
function compareHistory(migrations: Migration[], recorded: RecordedMigration[]): History {
  const unclaimed = new Set(recorded);
  const claim = (matches: (row: RecordedMigration) => boolean) => {
    const row = [...unclaimed].find(matches);
    if (row) unclaimed.delete(row);
    return row;
  };
  let problem: MigrationError | undefined;
  const unmatched: Migration[] = [];
  for (const migration of migrations) {
    const row = claim(({ when }) => when === migration.when);
    if (!row) {
      unmatched.push(migration);
      continue;
    }
    if (row.hash !== migration.hash) {
      problem ??= new MigrationError(
        'edited',
        migration.name,
        `The migration ${migration.name}.sql was changed after it had been applied to this database. ` +
          'Restore the file from version control, and put the change into a new migration: npm run db:generate',
      );
      problem.forget ??= `delete from ${JOURNAL} where created_at = ${row.when}`;
    }
  }
  // Generated again with a new date, but the same to the letter: it is there already.
  const pending = unmatched.filter((migration) => !claim(({ hash }) => hash === migration.hash));
  const written = pending.findLastIndex(({ sql }) => splitStatements(sql).length > 0) + 1;
  const applied = migrations.filter((migration) => !pending.includes(migration));
  const unwritten = pending.splice(written);

  const newestFile = migrations.at(-1)?.when ?? Number.NEGATIVE_INFINITY;
  const newestRecorded = Math.max(...recorded.map(({ when }) => when));
  const ahead = [...unclaimed].filter(({ when }) => when > newestFile);
  const lost = [...unclaimed].find(({ when }) => when <= newestFile);
  if (lost) {
    problem ??= new MigrationError(
      'missing-file',
      undefined,
      `This database has applied a migration of ${date(lost)} (hash ${lost.hash.slice(0, 12)}…) that has no file here, although newer ones have. ` +
        'Restore its file from version control, or check that DATABASE_URL names the right database.',
    );
  }
  const late = pending.find(({ when }) => when < newestRecorded);
  if (late) {
    problem ??= new MigrationError(
      'out-of-order',
      late.name,
      `The migration ${late.name}.sql is older than one that this database has applied already, so it comes too late. ` +
        'Delete its file, its snapshot and its journal entry, and generate it again as the newest: npm run db:generate',
    );
  }
  return { applied, pending, unwritten, ahead, ...(problem && { problem }) };
}

/** How a recorded migration without a file is called. */
export function nameOfRecorded(row: RecordedMigration): string {
  return `recorded ${date(row)} (${row.hash.slice(0, 12)}…)`;
}

function date({ when }: RecordedMigration): string {
  return Number.isNaN(new Date(when).valueOf()) ? String(when) : new Date(when).toISOString();
}

/** @throws MigrationError for a history that forbids to go on. */
export async function inspect(session: Queryable, migrations: Migration[]): Promise<History> {
  const history = await compareWith(session, migrations);
  if (history.problem) throw history.problem;
  return history;
}

/** What the database has recorded, against the files. */
export async function compareWith(session: Queryable, migrations: Migration[]): Promise<History> {
  const { rows } = await session.query(`select to_regclass('${JOURNAL}') is not null as exists`);
  if (!rows[0].exists) return compareHistory(migrations, []);
  const recorded = await session.query(`select hash, created_at from ${JOURNAL} order by created_at, id`);
  return compareHistory(
    migrations,
    recorded.rows.map(({ hash, created_at }) => ({ hash, when: Number(created_at) })),
  );
}

/** What goes wrong outside of any migration concerns the journal, if it is the database that says so. */
export function journalError(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  return new MigrationError(
    'sql',
    undefined,
    `The journal of migrations, ${JOURNAL}, cannot be used: ${error.message} (${error.code}). ` +
      'The user of DATABASE_URL needs the right to create a schema in this database: grant create on database … to …;',
    error,
  );
}

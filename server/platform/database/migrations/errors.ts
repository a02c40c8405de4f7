import type pg from 'pg';
import type { Migration } from './files.ts';

/**
 * The migrations are wrong, and starting again will not help: a file or a setting has to change.
 *
 * - `edited`: a migration was changed after it had been applied
 * - `out-of-order`: one that is pending is older than one that was applied
 * - `missing-file`: one was applied whose file is gone
 * - `malformed`: the folder contradicts itself
 * - `sql`: the database refused a statement
 * - `pooler`: the connection goes through a pooler
 * - `schema`: the tables were changed outside of the migrations, and match none of them
 * - `rows`: nothing tells whether a migration has changed the rows already
 */
export class MigrationError extends Error {
  readonly code:
    | 'edited'
    | 'out-of-order'
    | 'missing-file'
    | 'malformed'
    | 'sql'
    | 'pooler'
    | 'schema'
    | 'rows';
  /** The migration's name, where one is to blame. */
  readonly migration: string | undefined;
  /** Of an `edited` one: the SQL that makes the journal forget it. For development alone. */
  forget?: string;

  constructor(code: MigrationError['code'], migration: string | undefined, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'MigrationError';
    this.code = code;
    this.migration = migration;
  }
}

/**
 * An error of the database, with the line of the file that it is about.
 *
 * @param offset Where in the file the text begins that was sent.
 * @param remark What else is worth knowing.
 */
export function sqlError(
  migration: Migration,
  error: pg.DatabaseError,
  offset: number,
  remark: string | undefined,
): MigrationError {
  const at = error.position
    ? offset + Number(error.position) - 1
    : offset + migration.sql.slice(offset).search(/\S/);
  const line = migration.sql.slice(0, at).split('\n').length;
  const lines = [
    `The migration ${migration.name}.sql failed at line ${line}: ${error.message} (${error.code})`,
    `  ${migration.sql.split('\n')[line - 1]?.trim()}`,
  ];
  if (error.detail) lines.push(`Detail: ${error.detail}`);
  if (error.where) lines.push(`Where: ${error.where}`);
  if (error.hint) lines.push(`Hint: ${error.hint}`);
  if (remark) lines.push(remark);
  lines.push(
    migration.transaction
      ? 'Nothing of it was kept, and it is not recorded: correct the file, then start again.'
      : 'It runs outside a transaction and is not recorded: see what it left, make the statement one that may run twice (if not exists), then start again.',
  );
  return new MigrationError('sql', migration.name, lines.join('\n'), error);
}

/** Adds the ways out that only development has, for a migration that was changed and applied here alone. */
export function withWayOut(error: unknown): unknown {
  if (!(error instanceof MigrationError) || error.forget === undefined) return error;
  const lines = [
    error.message,
    'In development, if it was applied here alone, undo by SQL what the migration did, and have it applied again:',
    `  psql "$DATABASE_URL" -c "${error.forget}"`,
    'or, with the PostgreSQL that `npm start` brings, stop it and begin with an empty database (its rows are lost):',
    '  rm -r .data/postgres',
  ];
  return new MigrationError(error.code, error.migration, lines.join('\n'), error);
}

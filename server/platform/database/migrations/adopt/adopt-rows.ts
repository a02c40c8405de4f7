import { MigrationError } from '../migration-files.ts';
import type { Session } from '../migration-session.ts';
import type { Statement } from '../sql-statements.ts';
import type { Adopted } from './adopt.ts';
import { rowChange } from './row-changes.ts';

/** What becomes of statements of which nobody can tell whether they have changed the rows already. */
export type AdoptChoice = 'record' | 'run';

/** A statement that would change rows, and may have done so before. */
export interface Doubt {
  migration: string;
  statement: Statement;
  /** Tables that hold rows, as PostgreSQL writes their names. */
  tables: string[];
}

/**
 * Finds the statements that would change tables that hold rows.
 *
 * @param works Migrations that may have run before the journal was lost.
 * @param all The tables that a statement may mean which does not say.
 */
export async function findDoubts(session: Session, works: Adopted[], all: string[]): Promise<Doubt[]> {
  const known = new Map<string, string | undefined>();
  const doubts: Doubt[] = [];
  for (const { migration, statements } of works) {
    for (const statement of statements) {
      const change = rowChange(statement);
      if (change === undefined) continue;
      const tables: string[] = [];
      for (const name of change === 'any' ? all : change) {
        if (!known.has(name)) known.set(name, await withRows(session, name));
        const table = known.get(name);
        if (table !== undefined && !tables.includes(table)) tables.push(table);
      }
      if (tables.length > 0) doubts.push({ migration: migration.name, statement, tables });
    }
  }
  return doubts;
}

/** @returns the table's name as PostgreSQL writes it, if there is such a table and it holds a row. */
async function withRows(session: Session, name: string): Promise<string | undefined> {
  const { rows } = await session.query(
    `select oid::regclass::text as table from pg_class where oid = to_regclass($1) and relkind in ('r', 'p', 'v', 'f')`,
    [name],
  );
  const table = rows[0]?.table;
  if (table === undefined) return undefined;
  const held = await session.query(`select exists (select from ${table}) as rows`);
  return held.rows[0].rows ? table : undefined;
}

const MAX_SHOWN = 20;
const MAX_STATEMENT = 160;

/** What an operator has to decide, and how. */
export function undecided(doubts: Doubt[]): MigrationError {
  const lines = doubts.slice(0, MAX_SHOWN).map(({ migration, statement, tables }) => {
    const text = statement.text.replace(/^\s*--.*\n/gm, '').replace(/\s+/g, ' ');
    const shown = text.length > MAX_STATEMENT ? `${text.slice(0, MAX_STATEMENT)}…` : text;
    const hold = tables.length > 1 ? 'hold' : 'holds';
    return `  ${migration}.sql: ${shown}\n    ${tables.slice(0, 5).join(', ')} ${hold} rows`;
  });
  if (doubts.length > MAX_SHOWN) lines.push(`  … and ${doubts.length - MAX_SHOWN} more`);
  return new MigrationError(
    'rows',
    doubts[0]?.migration,
    [
      'The tables are there and hold rows, but no journal of migrations (drizzle.__drizzle_migrations) says whether these statements have changed the rows already:',
      ...lines,
      'Nothing was changed. If this database was restored from a backup, restore the schema drizzle as well; else decide, once:',
      '  main.js migrate --adopt=record   records these statements as done and does not run them: for a database that has run them',
      '  main.js migrate --adopt=run      runs them on the rows that are there: for a database that has never run them',
      'Where there is no shell, set MIGRATE_ADOPT=record or MIGRATE_ADOPT=run for one start, and remove it afterwards. See docs/deploying.md, "When the tables do not match".',
    ].join('\n'),
  );
}

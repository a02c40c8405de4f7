import type { Adopted } from '../../platform/database/migrations/adoption.ts';
import { MigrationError } from '../../platform/database/migrations/errors.ts';
import type { Session } from '../../platform/database/migrations/session.ts';
import type { Statement } from '../../platform/database/migrations/statements.ts';
import { createdBy, folded, rowChange } from './row-changes.ts';

/** A statement that would change rows, and may have done so before. */
export interface Doubt {
  migration: string;
  statement: Statement;
  /** Tables that hold rows, as PostgreSQL writes their names. */
  tables: string[];
}

/**
 * Finds the statements that would change tables that hold rows. One whose target is neither there nor to be made by a
 * migration counts for all tables: it may have been misread.
 *
 * @param works Migrations that may have run before the journal was lost.
 * @param all The tables that a statement may mean which does not say.
 * @param pending All that have not been recorded: what they make may be named.
 */
export async function findDoubts(
  session: Session,
  works: Adopted[],
  all: string[],
  pending: readonly Statement[],
): Promise<Doubt[]> {
  const made = createdBy(pending);
  const known = new Map<string, Target>();
  const look = async (name: string): Promise<Target> => {
    const target = known.get(name) ?? (await targetOf(session, name));
    known.set(name, target);
    return target;
  };
  /** Undefined where only a table that the statement does not name can be meant. */
  const targetsOf = async (statement: Statement, moved: boolean): Promise<Target[] | undefined> => {
    const change = rowChange(statement);
    if (change === undefined) return [];
    if (change === 'any' || change.words.some((word) => made.functions.has(word))) return undefined;
    if (await callsOwnFunction(session, change.words)) return undefined;
    const targets: Target[] = [];
    for (const name of change.tables) {
      if (moved && !name.replace(/"(?:[^"]|"")+"/g, '').includes('.')) return undefined;
      const target = await look(name);
      if (target.reaches || (!target.exists && !made.tables.has(folded(name)))) return undefined;
      targets.push(target);
    }
    return targets;
  };
  const doubts: Doubt[] = [];
  let moved = false;
  for (const { migration, statements } of works) {
    for (const statement of statements) {
      let targets = await targetsOf(statement, moved);
      if (targets === undefined) {
        targets = [];
        for (const name of all) targets.push(await look(name));
      }
      const tables = [...new Set(targets.flatMap(({ holdsRows }) => holdsRows ?? []))];
      if (tables.length > 0) doubts.push({ migration: migration.name, statement, tables });
      moved ||= MOVES_PATH.test(statement.text) && !/^(create|alter)\b/i.test(statement.bare);
    }
  }
  return doubts;
}

/** After this a name without a schema may mean another table. */
const MOVES_PATH = /\bset\s+(?:(?:session|local)\s+)?(?:search_path|schema)\b|\bset_config\b/i;

/** What a name means. */
interface Target {
  exists: boolean;
  /** As PostgreSQL writes its name, if it holds a row. */
  holdsRows?: string;
  /** Whether what changes it changes other tables: a view, or what has rules or triggers. */
  reaches: boolean;
}

async function targetOf(session: Session, name: string): Promise<Target> {
  const { rows } = await session.query(
    `select oid::regclass::text as table, relkind not in ('r', 'p', 'f')
        or exists (select from pg_rewrite where ev_class = pg_class.oid)
        or exists (select from pg_trigger where tgrelid = pg_class.oid and not tgisinternal) as reaches
      from pg_class where oid = to_regclass($1) and relkind in ('r', 'p', 'v', 'f')`,
    [name],
  );
  if (rows.length === 0) return { exists: false, reaches: false };
  const { table, reaches } = rows[0];
  const held = await session.query(`select exists (select from ${table}) as rows`);
  return { exists: true, reaches, ...(held.rows[0].rows && { holdsRows: table }) };
}

/** Whether one of these words is a function that does not come with PostgreSQL: it may change any table. */
async function callsOwnFunction(session: Session, words: string[]): Promise<boolean> {
  const { rows } = await session.query(
    `select exists (select from pg_proc where proname = any ($1) and prorettype <> 'trigger'::regtype
      and pronamespace not in (select oid from pg_namespace where nspname in ('pg_catalog', 'information_schema'))) as own`,
    [words],
  );
  return rows[0].own;
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

import pg from 'pg';
import type { Logger } from '../pool/availability.ts';
import { MigrationError, sqlError } from './errors.ts';
import { BREAKPOINT, type Migration } from './files.ts';
import { JOURNAL } from './history.ts';
import { isContention, passingReason, type Session } from './session.ts';

/** A statement that waits for a lock holds up all that queue behind it: at most this long, in milliseconds. */
const LOCK_TIMEOUT = 500;
/** Already there, or no longer there: a table, a column, a schema, a function, or anything else. */
const IS_DONE = new Set(['42P07', '42701', '42P06', '42723', '42710', '42P01', '42703', '42883', '42704']);

const IDENTIFIER = String.raw`(?:"(?:[^"]|"")+"|[^\s"().;,]+)`;
const CONCURRENT_INDEX = new RegExp(
  String.raw`\bindex\s+concurrently\s+(?:if\s+not\s+exists\s+)?(${IDENTIFIER})\s+on\s+(?:only\s+)?(${IDENTIFIER}(?:\.${IDENTIFIER})?)`,
  'i',
);

/** What to run of one migration: all of it, or what is left where its tables exist already. */
export interface Work {
  migration: Migration;
  adopted: boolean;
  statements: { text: string; at: number; treatment?: 'run' | 'try' }[];
}

/** Everything, in the pieces that drizzle-kit has cut. */
export function allOf(migration: Migration): Work {
  let at = 0;
  const pieces = migration.sql.split(BREAKPOINT).map((text) => {
    const piece = { text, at };
    at += text.length + BREAKPOINT.length;
    return piece;
  });
  return { migration, adopted: false, statements: pieces.filter(({ text }) => text.trim()) };
}

/** The session that holds the migrations' lock, and what is known of it. */
export interface LockedSession {
  readonly session: Session;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Called with each reason for waiting. */
  readonly waiting: (why: string) => void;
  /** The backend that holds the lock. */
  lockedBy: number | undefined;
  /** What to say beside an error of the database. */
  remark: string | undefined;
}

/**
 * Runs and records migrations in one transaction. What cannot run in one runs before it, and must bear running twice.
 *
 * @throws MigrationError `sql` for a statement that the database refuses.
 */
export async function apply(locked: LockedSession, works: Work[]): Promise<void> {
  const { session } = locked;
  const runsAlone = ({ migration, statements }: Work) => !migration.transaction && statements.length > 0;
  for (const work of works) if (runsAlone(work)) await applyAlone(locked, work.migration);
  await session.query(`begin; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0;
    set local lock_timeout = ${LOCK_TIMEOUT}`);
  try {
    await assertLocked(locked);
    for (const work of works) {
      if (runsAlone(work)) continue;
      for (const { text, at, treatment } of work.statements) {
        if (treatment === 'try') await tryStatement(locked, work.migration, text, at);
        else await runSql(locked, work.migration, { text }, at);
      }
    }
    for (const { migration } of works) {
      const { hash, when } = migration;
      await session.query(`insert into ${JOURNAL} (hash, created_at) values ($1, $2)`, [hash, when]);
    }
    await session.query('commit');
  } catch (error) {
    await session.query('rollback').catch(() => {});
    throw error;
  }
}

/** Runs a statement that may have run before, where comparing tables does not show it. */
async function tryStatement(
  locked: LockedSession,
  migration: Migration,
  text: string,
  at: number,
): Promise<void> {
  await locked.session.query('savepoint before_trying');
  try {
    await runSql(locked, migration, { text }, at);
  } catch (error) {
    const { cause } = error as Error;
    if (!(cause instanceof pg.DatabaseError) || !IS_DONE.has(cause.code ?? '')) throw error;
    await locked.session.query('rollback to savepoint before_trying');
  }
}

/** One statement that PostgreSQL refuses inside a transaction; so it may have run already, and not been recorded. */
async function applyAlone(locked: LockedSession, migration: Migration): Promise<void> {
  const { session, log } = locked;
  await assertLocked(locked);
  const [, index, table] = CONCURRENT_INDEX.exec(migration.sql) ?? [];
  if (index && table) {
    const { rows } = await session.query(
      `select indexrelid::regclass::text as index from pg_index join pg_class on pg_class.oid = indexrelid
       where relname = (parse_ident($1))[1] and indrelid = to_regclass($2) and not indisvalid`,
      [index, table],
    );
    for (const { index } of rows) {
      log.info({ migration: migration.name, index }, 'Dropping the invalid index of an earlier try');
      await session.query(`drop index concurrently ${index}`);
    }
  }
  // While it waits, what works concurrently blocks no other statement.
  await session.query(`set lock_timeout = ${/\bconcurrently\b/i.test(migration.sql) ? 0 : LOCK_TIMEOUT}`);
  // The extended protocol takes one statement and refuses two.
  await runSql(locked, migration, { text: migration.sql, queryMode: 'extended' }, 0);
}

async function runSql(
  { session, signal, remark }: LockedSession,
  migration: Migration,
  query: { text: string; queryMode?: 'extended' },
  offset: number,
): Promise<void> {
  signal.throwIfAborted();
  try {
    await session.query(query);
  } catch (error) {
    const passing = passingReason(error) || isContention(error);
    if (passing || signal.aborted || !(error instanceof pg.DatabaseError)) throw error;
    throw sqlError(migration, error, offset, remark);
  }
}

/** A pooler in transaction mode may hand the next statement to another backend, which holds no lock. */
async function assertLocked({ session, lockedBy }: LockedSession): Promise<void> {
  if (!session.behindPooler) return;
  const { rows } = await session.query('select pg_backend_pid() as backend');
  if (rows[0].backend === lockedBy) return;
  throw new MigrationError(
    'pooler',
    undefined,
    'DATABASE_DIRECT_URL leads to a pooler in transaction mode. Set it to the PostgreSQL server itself, or to a pooler in session mode.',
  );
}

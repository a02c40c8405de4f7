import type { Logger } from '../pool/availability.ts';
import { MigrationError } from './errors.ts';
import { type Migration, readMigrations } from './files.ts';
import { CREATE_JOURNAL, type History, inspect, journalError, nameOfRecorded } from './history.ts';
import { isContention, passingReason, pause, type Session, withSession } from './session.ts';
import type { MigrationSource } from './status.ts';
import { allOf, apply, type LockedSession, type Work } from './worker.ts';

export interface MigrateOptions extends MigrationSource {
  log: Logger;
  /** Whether DATABASE_DIRECT_URL is set: then a pooler in between is the operator's own choice. */
  directUrlConfigured: boolean;
  /** Cancels the statement that runs and rolls it back; `migrate` then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called with each new reason for waiting. */
  onWaiting?(why: string): void;
}

/** What one call has done, by name. */
interface Done {
  applied: string[];
  /** Their tables existed already: recorded, and only what changes rows was run. */
  adopted: string[];
}

export interface MigrationReport extends Done {
  alreadyApplied: number;
  /** Recorded by a newer release: a rollback has happened. */
  ahead: string[];
}

/**
 * `flightli` as a number, for `pg_advisory_lock`. PostgreSQL keeps advisory locks apart by database, so the same key
 * serves all of them.
 */
const LOCK_KEY = '7380389782208408681';
const HELD_BY = `select pid, application_name from pg_locks join pg_stat_activity using (pid)
  where locktype = 'advisory' and granted and objsubid = 1 and (classid::bigint << 32) + objid::bigint = ${LOCK_KEY}
    and pg_locks.database = (select oid from pg_database where datname = current_database())`;

/**
 * Applies what is pending, once, however many processes start at the same time.
 *
 * A database that cannot be reached, and a lock that another process holds, are waited for without end: `signal` ends
 * that. When nothing is pending, no lock is taken.
 *
 * @throws MigrationError when a migration or the history is wrong.
 * @throws The signal's reason.
 */
export async function migrate(options: MigrateOptions): Promise<MigrationReport> {
  const { signal = new AbortController().signal, log } = options;
  const migrations = await readMigrations(options.folder);
  const done: Done = { applied: [], adopted: [] };
  let waitsFor: string | undefined;
  const waiting = (why: string) => {
    if (why === waitsFor) return;
    waitsFor = why;
    log.info({ reason: why }, 'Migrations are waiting');
    options.onWaiting?.(why);
  };
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      let history = options.look && (await inspect(options.look, migrations));
      if (!history || history.pending.length > 0) {
        history = await withSession(
          options.connection,
          signal,
          (session) => applyPending(session, migrations, options, signal, waiting, done),
          attempt,
        );
      }
      for (const { name } of history.unwritten) {
        log.warn({ migration: name }, 'A migration holds no statement yet: it is applied once it does');
      }
      const ahead = history.ahead.map(nameOfRecorded);
      if (ahead.length > 0) {
        log.warn(
          { ahead },
          'The database has migrations that this release does not know, as after a rollback',
        );
      }
      const alreadyApplied = history.applied.length - done.applied.length - done.adopted.length;
      return { ...done, alreadyApplied, ahead };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const why = passingReason(error);
      if (!why) throw journalError(error);
      waiting(why);
    }
    await pause(attempt, signal);
  }
}

/** @param done Takes the name of each migration as it is done: a later failure does not undo it. */
async function applyPending(
  session: Session,
  migrations: Migration[],
  options: MigrateOptions,
  signal: AbortSignal,
  waiting: (why: string) => void,
  done: Done,
): Promise<History> {
  const { log } = options;
  const locked: LockedSession = { session, log, signal, waiting, lockedBy: undefined, remark: undefined };

  /** Does them in one transaction. */
  const carryOut = async (works: Work[]): Promise<void> => {
    const started = performance.now();
    const names = works.map(({ migration }) => migration.name).join(', ');
    await retryOnContention(locked, names, () => apply(locked, works));
    const ms = Math.round(performance.now() - started);
    for (const { migration, adopted, statements } of works) {
      const { name } = migration;
      done[adopted ? 'adopted' : 'applied'].push(name);
      if (adopted) {
        log.info(
          { migration: name, ms, ran: statements.length },
          'Migration adopted: its tables existed already',
        );
      } else log.info({ migration: name, ms }, 'Migration applied');
    }
  };

  let history = await inspect(session, migrations);
  if (history.pending.length === 0) return history;
  if (session.behindPooler) refusePooler(options);
  // The server, too, has to notice a host that vanished without a word; else the lock would outlive it for hours.
  await session.query(`select set_config('tcp_keepalives_idle', '5', false),
    set_config('tcp_keepalives_interval', '2', false), set_config('tcp_keepalives_count', '3', false)`);
  for (let round = 0; !(await tryLock(locked)); round++) {
    await pause(round, signal, 50, 1_000);
    // The process that held it may have applied all of them.
    history = await inspect(session, migrations);
    if (history.pending.length === 0) return history;
  }
  try {
    history = await inspect(session, migrations);
    const adopted = await adopt(locked, history, options);
    await session.query(CREATE_JOURNAL);
    // All or none: once some are recorded, the journal says that the others have not run.
    if (adopted.length > 0) await carryOut(adopted);
    for (const migration of history.pending.slice(adopted.length)) await carryOut([allOf(migration)]);
    return { ...history, applied: [...history.applied, ...history.pending], pending: [] };
  } finally {
    await session.query(`select pg_advisory_unlock(${LOCK_KEY})`).catch(() => {});
  }
}

function refusePooler({ directUrlConfigured, log }: MigrateOptions): void {
  if (directUrlConfigured) {
    log.warn(
      { migrations: 'pending' },
      'DATABASE_DIRECT_URL leads to a pooler: migrations need one in session mode',
    );
    return;
  }
  throw new MigrationError(
    'pooler',
    undefined,
    'Migrations are pending, and DATABASE_URL leads through a connection pooler, which cannot hold the lock that keeps two processes from migrating at once. ' +
      'Set DATABASE_DIRECT_URL to the address of the PostgreSQL server itself; it is used for migrations and for LISTEN.',
  );
}

/** Never waits in the server: a waiting statement holds a snapshot, for which `create index concurrently` waits. */
async function tryLock(locked: LockedSession): Promise<boolean> {
  const { session, signal, waiting } = locked;
  signal.throwIfAborted();
  const { rows } = await session.query(
    `select pg_try_advisory_lock(${LOCK_KEY}) as held, pg_backend_pid() as backend`,
  );
  locked.lockedBy = rows[0].backend;
  if (rows[0].held) return true;
  const holder = (await session.query(HELD_BY)).rows[0];
  if (holder) {
    waiting(`another process is migrating (backend ${holder.pid}, application ${holder.application_name})`);
  }
  return false;
}

/** @returns The first of the pending migrations, as far as their tables exist already. */
async function adopt(
  locked: LockedSession,
  history: History,
  { findAdoption, adopt: said }: MigrateOptions,
): Promise<Work[]> {
  if (!findAdoption) return [];
  const { adopted, choice, unknown, undecided } = await retryOnContention(
    locked,
    'The look at the tables',
    () => findAdoption(locked.session, history, said),
  );
  if (undecided) throw undecided.problem;
  if (unknown) locked.remark = `Whether its tables existed already could not be seen: ${unknown}.`;
  if (adopted.length > 0) {
    locked.remark =
      'The tables were changed outside of the migrations, so it may have met newer ones than it was written for.';
    if (choice)
      locked.log.warn(
        { adopt: choice },
        `Tables are adopted: statements that change rows are ${choice === 'run' ? 'run' : 'recorded only'}. Unset MIGRATE_ADOPT if it is set`,
      );
  }
  return adopted.map((one) => ({ ...one, adopted: true }));
}

/** Again and again, as long as nothing but the locks of others stands in the way. */
async function retryOnContention<Result>(
  { signal, waiting }: LockedSession,
  what: string,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isContention(error)) throw error;
      waiting(`${what} needs a lock that other transactions hold: ${(error as Error).message}`);
    }
    await pause(attempt, signal);
  }
}

import pg from 'pg';
import type { Adoption } from './adopt.ts';
import type { Logger } from './availability.ts';
import { journalError, sqlError } from './migration-errors.ts';
import { BREAKPOINT, type Migration, MigrationError, readMigrations } from './migration-files.ts';
import { CREATE_JOURNAL, type History, inspect, JOURNAL, nameOfRecorded } from './migration-history.ts';
import {
  isContention,
  passingReason,
  pause,
  type Session,
  sayOnce,
  withSession,
} from './migration-session.ts';
import type { MigrationSource } from './migration-status.ts';

export interface MigrateOptions extends MigrationSource {
  log: Logger;
  /** Whether DATABASE_DIRECT_URL is set: then a pooler in between is the operator's own choice. */
  directUrlConfigured: boolean;
  /** Cancels the statement that runs and rolls it back; `migrate` then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Told each new reason for not getting on. */
  onWaiting?(why: string): void;
  onApplied?(name: string, ms: number): void;
  /** Told each migration whose tables somebody else had made. `ran`: how many of its statements were run. */
  onAdopted?(name: string, ran: number): void;
}

/** What one call has done, by name. */
interface Done {
  applied: string[];
  /** Their tables were there, made by somebody else: recorded, and only what changes rows was run. */
  adopted: string[];
}

export interface MigrationReport extends Done {
  alreadyApplied: number;
  /** Recorded by a newer release: a rollback has happened. */
  ahead: string[];
  tookMs: number;
}

/**
 * `flightli` as a number, for `pg_advisory_lock`. PostgreSQL keeps advisory locks apart by database, so the same key
 * serves all of them.
 */
const LOCK_KEY = '7380389782208408681';
const HELD_BY = `select pid, application_name from pg_locks join pg_stat_activity using (pid)
  where locktype = 'advisory' and granted and objsubid = 1 and (classid::bigint << 32) + objid::bigint = ${LOCK_KEY}
    and pg_locks.database = (select oid from pg_database where datname = current_database())`;

/** Whoever queues behind a statement that waits for a lock waits as long as it does: at most this, in milliseconds. */
const LOCK_TIMEOUT = 500;
/** Already there, or no longer there: a table, a column, a schema, a function, or anything else. */
const IS_DONE = new Set(['42P07', '42701', '42P06', '42723', '42710', '42P01', '42703', '42883', '42704']);

const IDENTIFIER = String.raw`(?:"(?:[^"]|"")+"|[^\s"().;,]+)`;
const CONCURRENT_INDEX = new RegExp(
  String.raw`\bindex\s+concurrently\s+(?:if\s+not\s+exists\s+)?(${IDENTIFIER})\s+on\s+(?:only\s+)?(${IDENTIFIER}(?:\.${IDENTIFIER})?)`,
  'i',
);

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
  const started = performance.now();
  const { signal = new AbortController().signal, log } = options;
  const migrations = await readMigrations(options.folder);
  const done: Done = { applied: [], adopted: [] };
  const waiting = sayOnce((why) => {
    log.info({ reason: why }, 'Migrations are waiting');
    options.onWaiting?.(why);
  });
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      let history = options.look && (await inspect(options.look, migrations));
      if (!history || history.pending.length > 0) {
        history = await withSession(
          options.connection,
          signal,
          (session) => new Migrator(session, migrations, options, signal, waiting).run(done),
          attempt,
        );
      }
      const ahead = history.ahead.map(nameOfRecorded);
      if (ahead.length > 0) {
        log.warn(
          { ahead },
          'The database has migrations that this release does not know, as after a rollback',
        );
      }
      const alreadyApplied = history.applied.length - done.applied.length - done.adopted.length;
      return { ...done, alreadyApplied, ahead, tookMs: Math.round(performance.now() - started) };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const why = passingReason(error);
      if (!why) throw journalError(error);
      waiting(why);
    }
    await pause(attempt, signal);
  }
}

/** What is to be done about one migration: all of it, or what is left when somebody else has made its tables. */
interface Work {
  migration: Migration;
  adopted: boolean;
  statements: { text: string; at: number; treatment?: 'run' | 'try' }[];
}

/** Everything, in the pieces that drizzle-kit has cut. */
function allOf(migration: Migration): Work {
  let at = 0;
  const pieces = migration.sql.split(BREAKPOINT).map((text) => {
    const piece = { text, at };
    at += text.length + BREAKPOINT.length;
    return piece;
  });
  return { migration, adopted: false, statements: pieces.filter(({ text }) => text.trim()) };
}

class Migrator {
  readonly #session: Session;
  readonly #migrations: Migration[];
  readonly #options: MigrateOptions;
  readonly #signal: AbortSignal;
  readonly #waiting: (why: string) => void;
  #lockedBy: number | undefined;
  /** What to say beside an error of the database. */
  #remark: string | undefined;

  constructor(
    session: Session,
    migrations: Migration[],
    options: MigrateOptions,
    signal: AbortSignal,
    waiting: (why: string) => void,
  ) {
    this.#session = session;
    this.#migrations = migrations;
    this.#options = options;
    this.#signal = signal;
    this.#waiting = waiting;
  }

  /** @param done Takes the name of each migration as it is done: a later failure does not undo it. */
  async run(done: Done): Promise<History> {
    let history = await inspect(this.#session, this.#migrations);
    if (history.pending.length === 0) return history;
    this.#refusePooler();
    // The server, too, has to notice a host that vanished without a word; else the lock would outlive it for hours.
    await this.#session.query(`select set_config('tcp_keepalives_idle', '5', false),
      set_config('tcp_keepalives_interval', '2', false), set_config('tcp_keepalives_count', '3', false)`);
    for (let round = 0; !(await this.#tryLock()); round++) {
      await pause(round, this.#signal, 50, 1_000);
      // Whoever holds it may have done all that there was to do.
      history = await inspect(this.#session, this.#migrations);
      if (history.pending.length === 0) return history;
    }
    try {
      history = await inspect(this.#session, this.#migrations);
      const adopted = await this.#adopt(history);
      await this.#session.query(CREATE_JOURNAL);
      for (const work of [...adopted, ...history.pending.slice(adopted.length).map(allOf)]) {
        const started = performance.now();
        await this.#patiently(work.migration.name, () => this.#do(work));
        this.#tell(work, Math.round(performance.now() - started), done);
      }
      return { ...history, applied: this.#migrations, pending: [] };
    } finally {
      await this.#session.query(`select pg_advisory_unlock(${LOCK_KEY})`).catch(() => {});
    }
  }

  #refusePooler(): void {
    if (!this.#session.behindPooler) return;
    if (this.#options.directUrlConfigured) {
      this.#options.log.warn(
        { migrations: 'pending' },
        'DATABASE_DIRECT_URL leads to a pooler: migrations need one in session mode',
      );
      return;
    }
    throw new MigrationError(
      'pooler',
      undefined,
      'Migrations are pending, and DATABASE_URL leads through a connection pooler, which cannot hold the lock that keeps two processes from migrating at once. ' +
        'Set DATABASE_DIRECT_URL to the address of the PostgreSQL server itself; it is used for migrations only.',
    );
  }

  /** Never waits in the server: a waiting statement holds a snapshot, for which `create index concurrently` waits. */
  async #tryLock(): Promise<boolean> {
    this.#signal.throwIfAborted();
    const { rows } = await this.#session.query(
      `select pg_try_advisory_lock(${LOCK_KEY}) as held, pg_backend_pid() as backend`,
    );
    this.#lockedBy = rows[0].backend;
    if (rows[0].held) return true;
    const holder = (await this.#session.query(HELD_BY)).rows[0];
    if (holder) {
      this.#waiting(
        `another process is migrating (backend ${holder.pid}, application ${holder.application_name})`,
      );
    }
    return false;
  }

  /** The first of the pending migrations, as far as somebody else has made their tables. */
  async #adopt(history: History): Promise<Work[]> {
    let adoption: Adoption = { adopted: [] };
    await this.#patiently('The look at the tables', async () => {
      // Loaded where something is pending, which is not the usual start.
      const { findAdoption } = await import('./adopt.ts');
      adoption = await findAdoption(this.#session, history);
    });
    const { adopted, unknown } = adoption;
    if (unknown) this.#remark = `Whether somebody else had made its tables could not be seen: ${unknown}.`;
    if (adopted.length > 0) {
      this.#remark =
        'Somebody else had changed the tables before, so it may have met newer ones than it was written for.';
    }
    return adopted.map((one) => ({ ...one, adopted: true }));
  }

  #tell({ migration: { name }, adopted, statements }: Work, ms: number, done: Done): void {
    const { log, onApplied, onAdopted } = this.#options;
    if (adopted) {
      done.adopted.push(name);
      const { length: ran } = statements;
      log.info({ migration: name, ms, ran }, 'Migration adopted: somebody else had made its tables');
      onAdopted?.(name, ran);
    } else {
      done.applied.push(name);
      log.info({ migration: name, ms }, 'Migration applied');
      onApplied?.(name, ms);
    }
  }

  /** Again and again, as long as nothing but the locks of others stands in the way. */
  async #patiently(what: string, work: () => Promise<void>): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      this.#signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        if (!isContention(error)) throw error;
        this.#waiting(`${what} needs a lock that other transactions hold: ${(error as Error).message}`);
      }
      await pause(attempt, this.#signal);
    }
  }

  async #do({ migration, statements }: Work): Promise<void> {
    if (!migration.transaction && statements.length > 0) return this.#alone(migration);
    await this.#session.query(`begin; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0;
      set local lock_timeout = ${LOCK_TIMEOUT}`);
    try {
      await this.#assertLocked();
      for (const { text, at, treatment } of statements) {
        if (treatment === 'try') await this.#try(migration, text, at);
        else await this.#runSql(migration, { text }, at);
      }
      await this.#record(migration);
      await this.#session.query('commit');
    } catch (error) {
      await this.#session.query('rollback').catch(() => {});
      throw error;
    }
  }

  /** Runs what somebody else may have done, where that is not seen by comparing tables. */
  async #try(migration: Migration, text: string, at: number): Promise<void> {
    await this.#session.query('savepoint before_trying');
    try {
      await this.#runSql(migration, { text }, at);
    } catch (error) {
      const { cause } = error as Error;
      if (!(cause instanceof pg.DatabaseError) || !IS_DONE.has(cause.code ?? '')) throw error;
      await this.#session.query('rollback to savepoint before_trying');
    }
  }

  /** One statement that PostgreSQL refuses inside a transaction; so it may have run already, and not been recorded. */
  async #alone(migration: Migration): Promise<void> {
    await this.#assertLocked();
    const [, index, table] = CONCURRENT_INDEX.exec(migration.sql) ?? [];
    if (index && table) {
      const { rows } = await this.#session.query(
        `select indexrelid::regclass::text as index from pg_index join pg_class on pg_class.oid = indexrelid
         where relname = (parse_ident($1))[1] and indrelid = to_regclass($2) and not indisvalid`,
        [index, table],
      );
      for (const { index } of rows) {
        this.#options.log.info(
          { migration: migration.name, index },
          'Dropping the invalid index of an earlier try',
        );
        await this.#session.query(`drop index concurrently ${index}`);
      }
    }
    // What works concurrently waits for others in a way that lets nobody queue behind it.
    await this.#session.query(
      `set lock_timeout = ${/\bconcurrently\b/i.test(migration.sql) ? 0 : LOCK_TIMEOUT}`,
    );
    // The extended protocol takes one statement and refuses two.
    await this.#runSql(migration, { text: migration.sql, queryMode: 'extended' }, 0);
    await this.#record(migration);
  }

  async #runSql(
    migration: Migration,
    query: { text: string; queryMode?: 'extended' },
    offset: number,
  ): Promise<void> {
    this.#signal.throwIfAborted();
    try {
      await this.#session.query(query);
    } catch (error) {
      const passing = passingReason(error) || isContention(error);
      if (passing || this.#signal.aborted || !(error instanceof pg.DatabaseError)) throw error;
      throw sqlError(migration, error, offset, this.#remark);
    }
  }

  /** A pooler in transaction mode may hand the next statement to another backend, which holds no lock. */
  async #assertLocked(): Promise<void> {
    if (!this.#session.behindPooler) return;
    const { rows } = await this.#session.query('select pg_backend_pid() as backend');
    if (rows[0].backend === this.#lockedBy) return;
    throw new MigrationError(
      'pooler',
      undefined,
      'DATABASE_DIRECT_URL leads to a pooler in transaction mode. Set it to the PostgreSQL server itself, or to a pooler in session mode.',
    );
  }

  async #record({ hash, when }: Migration): Promise<void> {
    await this.#session.query(`insert into ${JOURNAL} (hash, created_at) values ($1, $2)`, [hash, when]);
  }
}

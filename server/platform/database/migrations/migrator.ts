import type { Logger } from '../pool/availability.ts';
import { MigrationError } from './errors.ts';
import { type Migration, readMigrations } from './files.ts';
import { CREATE_JOURNAL, type History, inspect, journalError, nameOfRecorded } from './history.ts';
import type { Adoption } from './replit/adopt.ts';
import { isContention, passingReason, pause, type Session, sayOnce, withSession } from './session.ts';
import type { MigrationSource } from './status.ts';
import { allOf, MigrationWorker, type Work } from './worker.ts';

export interface MigrateOptions extends MigrationSource {
  log: Logger;
  /** Whether DATABASE_DIRECT_URL is set: then a pooler in between is the operator's own choice. */
  directUrlConfigured: boolean;
  /** Cancels the statement that runs and rolls it back; `migrate` then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called with each new reason for waiting. */
  onWaiting?(why: string): void;
  onApplied?(name: string, ms: number): void;
  /** Called for each migration whose tables existed already. `ran`: how many of its statements were run. */
  onAdopted?(name: string, ran: number): void;
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

class Migrator {
  readonly #session: Session;
  readonly #migrations: Migration[];
  readonly #options: MigrateOptions;
  readonly #signal: AbortSignal;
  readonly #waiting: (why: string) => void;
  readonly #worker: MigrationWorker;

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
    this.#worker = new MigrationWorker(session, options.log, signal);
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
      // The process that held it may have applied all of them.
      history = await inspect(this.#session, this.#migrations);
      if (history.pending.length === 0) return history;
    }
    try {
      history = await inspect(this.#session, this.#migrations);
      const adopted = await this.#adopt(history);
      await this.#session.query(CREATE_JOURNAL);
      // All or none: once some are recorded, the journal says that the others have not run.
      if (adopted.length > 0) await this.#do(adopted, done);
      for (const migration of history.pending.slice(adopted.length)) await this.#do([allOf(migration)], done);
      return { ...history, applied: [...history.applied, ...history.pending], pending: [] };
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
    this.#worker.lockedBy = rows[0].backend;
    if (rows[0].held) return true;
    const holder = (await this.#session.query(HELD_BY)).rows[0];
    if (holder) {
      this.#waiting(
        `another process is migrating (backend ${holder.pid}, application ${holder.application_name})`,
      );
    }
    return false;
  }

  /** The first of the pending migrations, as far as their tables exist already. */
  async #adopt(history: History): Promise<Work[]> {
    const { adopt, log } = this.#options;
    let adoption: Adoption = { adopted: [] };
    await this.#retryOnContention('The look at the tables', async () => {
      // Loaded where something is pending, which is not the usual start.
      const { findAdoption } = await import('./replit/adopt.ts');
      adoption = await findAdoption(this.#session, history, adopt);
    });
    const { adopted, unknown, undecided } = adoption;
    if (undecided) throw undecided.problem;
    if (unknown) this.#worker.remark = `Whether its tables existed already could not be seen: ${unknown}.`;
    if (adopted.length > 0) {
      this.#worker.remark =
        'The tables were changed outside of the migrations, so it may have met newer ones than it was written for.';
      if (adopt)
        log.warn(
          { adopt },
          `Tables are adopted: statements that change rows are ${adopt === 'run' ? 'run' : 'recorded only'}. Unset MIGRATE_ADOPT if it is set`,
        );
    }
    return adopted.map((one) => ({ ...one, adopted: true }));
  }

  /** Does them in one transaction, and tells of each. */
  async #do(works: Work[], done: Done): Promise<void> {
    const started = performance.now();
    await this.#retryOnContention(works.map(({ migration }) => migration.name).join(', '), () =>
      this.#worker.do(works),
    );
    for (const work of works) this.#tell(work, Math.round(performance.now() - started), done);
  }

  #tell({ migration: { name }, adopted, statements }: Work, ms: number, done: Done): void {
    const { log, onApplied, onAdopted } = this.#options;
    if (adopted) {
      done.adopted.push(name);
      const { length: ran } = statements;
      log.info({ migration: name, ms, ran }, 'Migration adopted: its tables existed already');
      onAdopted?.(name, ran);
    } else {
      done.applied.push(name);
      log.info({ migration: name, ms }, 'Migration applied');
      onApplied?.(name, ms);
    }
  }

  /** Again and again, as long as nothing but the locks of others stands in the way. */
  async #retryOnContention(what: string, work: () => Promise<void>): Promise<void> {
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
}

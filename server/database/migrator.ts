import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from './availability.ts';
import { DatabaseClient } from './client.ts';
import {
  BREAKPOINT,
  compareHistory,
  type History,
  type Migration,
  MigrationError,
  nameOfRecorded,
  readMigrations,
} from './migration-files.ts';
import { findUnavailable } from './unavailable.ts';

export interface MigrationSource {
  /** A direct connection: the lock lives as long as its session. */
  connection: pg.ClientConfig;
  /** The folder with `meta/_journal.json` and the SQL files; may be empty or absent. */
  folder: string;
  /** An open pool of the same database, on which to look first: the usual start then opens no second connection. */
  look?: Pick<pg.Pool, 'query'>;
}

export interface MigrateOptions extends MigrationSource {
  log: Logger;
  /** Whether DATABASE_DIRECT_URL is set: then a pooler in between is the operator's own choice. */
  directUrlConfigured: boolean;
  /** Cancels the statement that runs and rolls it back; `migrate` then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Told each new reason for not getting on. */
  onWaiting?(why: string): void;
  onApplied?(name: string, ms: number): void;
}

export interface MigrationReport {
  /** Names of those that this call applied. */
  applied: string[];
  alreadyApplied: number;
  /** Recorded by a newer release: a rollback has happened. */
  ahead: string[];
  tookMs: number;
}

export interface MigrationEntry {
  name: string;
  hash: string;
  state: 'applied' | 'pending' | 'ahead';
  /** What would run, for one that is pending. */
  sql?: string;
}

/**
 * `flightli` as a number, for `pg_advisory_lock`. PostgreSQL keeps advisory locks apart by database, so the same key
 * serves all of them.
 */
const LOCK_KEY = '7380389782208408681';
const HELD_BY = `select pid, application_name from pg_locks join pg_stat_activity using (pid)
  where locktype = 'advisory' and granted and objsubid = 1 and (classid::bigint << 32) + objid::bigint = ${LOCK_KEY}
    and pg_locks.database = (select oid from pg_database where datname = current_database())`;

const JOURNAL = 'drizzle.__drizzle_migrations';
/** Exactly what drizzle-orm's own migrator makes. */
const CREATE_JOURNAL = `create schema if not exists drizzle;
  create table if not exists ${JOURNAL} (id serial primary key, hash text not null, created_at bigint)`;

/** Whoever queues behind a statement that waits for a lock waits as long as it does: at most this, in milliseconds. */
const LOCK_TIMEOUT = 500;
/** The first attempt may have to wake a sleeping server. In milliseconds. */
const FIRST_CONNECT = 8_000;
const NEXT_CONNECT = 3_000;

/** lock_not_available, deadlock_detected, serialization_failure: the same statement may succeed a moment later. */
const CONTENTION = new Set(['55P03', '40P01', '40001']);
/** Insufficient resources, errors of the system, operator intervention other than a cancelled statement; read-only. */
const NOT_THE_MIGRATION = /^(53|58|57P|25006)/;

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
  const applied: string[] = [];
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
          attempt === 0 ? FIRST_CONNECT : NEXT_CONNECT,
          signal,
          (session) => new Migrator(session, migrations, options, signal, waiting).run(applied),
        );
      }
      const ahead = history.ahead.map(nameOfRecorded);
      if (ahead.length > 0) {
        log.warn(
          { ahead },
          'The database has migrations that this release does not know, as after a rollback',
        );
      }
      const alreadyApplied = history.applied.length - applied.length;
      return { applied, alreadyApplied, ahead, tookMs: Math.round(performance.now() - started) };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const why = passingReason(error);
      if (!why) throw asMigrationError(error);
      waiting(why);
    }
    await pause(attempt, signal);
  }
}

/**
 * What is applied, what is pending and with what SQL, changing nothing and waiting for nobody.
 *
 * @throws DatabaseUnavailableError, or MigrationError when the folder itself is malformed; a wrong history is returned
 *   as `problem`.
 */
export async function migrationStatus(
  source: MigrationSource,
): Promise<{ entries: MigrationEntry[]; problem?: MigrationError }> {
  const migrations = await readMigrations(source.folder);
  const look = (session: Pick<pg.Pool, 'query'>) => compareWith(session, migrations);
  const history = await (source.look
    ? look(source.look)
    : withSession(source.connection, FIRST_CONNECT, new AbortController().signal, look));
  const entries = migrations.map(({ name, hash, sql }): MigrationEntry => {
    const pending = history.pending.some((migration) => migration.name === name);
    return pending ? { name, hash, state: 'pending', sql } : { name, hash, state: 'applied' };
  });
  for (const row of history.ahead)
    entries.push({ name: nameOfRecorded(row), hash: row.hash, state: 'ahead' });
  return history.problem ? { entries, problem: history.problem } : { entries };
}

class Migrator {
  readonly #session: Session;
  readonly #migrations: Migration[];
  readonly #options: MigrateOptions;
  readonly #signal: AbortSignal;
  readonly #waiting: (why: string) => void;
  #lockedBy: number | undefined;

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

  /** @param applied Takes the name of each migration as it is applied: a later failure does not undo it. */
  async run(applied: string[]): Promise<History> {
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
      await this.#session.query(CREATE_JOURNAL);
      history = await inspect(this.#session, this.#migrations);
      for (const migration of history.pending) {
        const started = performance.now();
        await this.#apply(migration);
        const ms = Math.round(performance.now() - started);
        applied.push(migration.name);
        this.#options.log.info({ migration: migration.name, ms }, 'Migration applied');
        this.#options.onApplied?.(migration.name, ms);
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

  async #apply(migration: Migration): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      this.#signal.throwIfAborted();
      try {
        await (migration.transaction ? this.#inTransaction(migration) : this.#alone(migration));
        return;
      } catch (error) {
        if (!CONTENTION.has((error as pg.DatabaseError).code ?? '')) throw error;
        this.#waiting(
          `${migration.name} needs a lock that other transactions hold: ${(error as Error).message}`,
        );
      }
      await pause(attempt, this.#signal);
    }
  }

  async #inTransaction(migration: Migration): Promise<void> {
    await this.#session.query(`begin; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0;
      set local lock_timeout = ${LOCK_TIMEOUT}`);
    try {
      await this.#assertLocked();
      let offset = 0;
      for (const statements of migration.sql.split(BREAKPOINT)) {
        if (statements.trim()) await this.#runSql(migration, { text: statements }, offset);
        offset += statements.length + BREAKPOINT.length;
      }
      await this.#record(migration);
      await this.#session.query('commit');
    } catch (error) {
      await this.#session.query('rollback').catch(() => {});
      throw error;
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
      const passing = passingReason(error) || CONTENTION.has((error as pg.DatabaseError).code ?? '');
      if (passing || this.#signal.aborted || !(error instanceof pg.DatabaseError)) throw error;
      throw sqlError(migration, error, offset);
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

/** The one direct connection of a migration. */
class Session extends DatabaseClient {
  behindPooler = false;
  readonly #connection: pg.ClientConfig;
  #lastResort: NodeJS.Timeout | undefined;

  constructor(connection: pg.ClientConfig, connectTimeoutMs: number) {
    super({
      ...connection,
      application_name: connection.application_name ?? 'migrations',
      connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
      rules: {
        statementTimeoutMs: 0,
        checkInterval: '1s',
        poolerHint: false,
        preparedStatements: false,
        opening: new Set(),
        onSession: (behindPooler) => {
          this.behindPooler = behindPooler;
        },
        onAnswer: () => {},
        onConnectFailed: () => {},
        onLost: () => {},
      },
    });
    this.#connection = connection;
  }

  /** Has the server cancel what runs, so that it is rolled back before this returns from `query`. */
  async cancel(): Promise<void> {
    if (!this.busy || this.behindPooler) return this.abandon('told to stop');
    this.#lastResort = setTimeout(() => this.abandon('told to stop'), 2_000);
    const other = new Session(this.#connection, 1_500);
    try {
      await other.connect();
      await other.query('select pg_cancel_backend($1)', [
        (this as unknown as { processID: number }).processID,
      ]);
    } catch {
      // The last resort stands.
    }
    await other.leave();
  }

  async leave(): Promise<void> {
    clearTimeout(this.#lastResort);
    if (!this.lost) await Promise.race([this.end(), sleep(500, undefined, { ref: false })]);
    this.abandon('left');
  }
}

async function withSession<T>(
  connection: pg.ClientConfig,
  connectTimeoutMs: number,
  signal: AbortSignal,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = new Session(connection, connectTimeoutMs);
  const stop = () => void session.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await session.connect();
    return await work(session);
  } finally {
    signal.removeEventListener('abort', stop);
    await session.leave();
  }
}

/** @throws MigrationError for a history that forbids to go on. */
async function inspect(session: Pick<pg.Pool, 'query'>, migrations: Migration[]): Promise<History> {
  const history = await compareWith(session, migrations);
  if (history.problem) throw history.problem;
  return history;
}

async function compareWith(session: Pick<pg.Pool, 'query'>, migrations: Migration[]): Promise<History> {
  const { rows } = await session.query(`select to_regclass('${JOURNAL}') is not null as exists`);
  if (!rows[0].exists) return compareHistory(migrations, []);
  const recorded = await session.query(`select hash, created_at from ${JOURNAL} order by created_at, id`);
  return compareHistory(
    migrations,
    recorded.rows.map(({ hash, created_at }) => ({ hash, when: Number(created_at) })),
  );
}

/** Why to try again, for an error that is not the migration's fault. */
function passingReason(error: unknown): string | undefined {
  const unavailable = findUnavailable(error);
  if (unavailable) return unavailable.reason;
  if (error instanceof pg.DatabaseError && NOT_THE_MIGRATION.test(error.code ?? '')) return error.message;
  return undefined;
}

function asMigrationError(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  return new MigrationError(
    'sql',
    undefined,
    `The journal of migrations, ${JOURNAL}, cannot be used: ${error.message} (${error.code}). ` +
      'The user of DATABASE_URL needs the right to create a schema in this database: grant create on database … to …;',
    error,
  );
}

/** @param offset Where in the file the text begins that was sent. */
function sqlError(migration: Migration, error: pg.DatabaseError, offset: number): MigrationError {
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
  lines.push(
    migration.transaction
      ? 'Nothing of it was kept, and it is not recorded: correct the file, then start again.'
      : 'It runs outside a transaction and is not recorded: see what it left, make the statement one that may run twice (if not exists), then start again.',
  );
  return new MigrationError('sql', migration.name, lines.join('\n'), error);
}

function sayOnce(say: (why: string) => void): (why: string) => void {
  let said: string | undefined;
  return (why) => {
    if (why !== said) say(why);
    said = why;
  };
}

/**
 * Waits before the next attempt: longer each time, up to `most`, and never as long as another process does. A second
 * and a half at most, and three for the attempt itself, are below the five in which a return has to be noticed.
 */
async function pause(attempt: number, signal: AbortSignal, first = 250, most = 1_500): Promise<void> {
  const ms = Math.min(most, first * 2 ** attempt) * (0.5 + Math.random() / 2);
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

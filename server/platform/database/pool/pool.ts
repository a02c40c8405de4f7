import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import type pg from 'pg';
import { assertStillWanted } from '../../lib/request-work.ts';
import { logTransactions, type Transaction, transaction } from '../transaction.ts';
import { AcquireQueue } from './acquire-queue.ts';
import { Availability, type Logger, SUSPICIOUS_SWEEPS } from './availability.ts';
import { DatabaseClient, type DatabaseObserver, type SessionConfig, type SessionRules } from './client.ts';
import { DatabaseUnavailableError } from './unavailable.ts';

export interface DatabaseOptions {
  /** Host, user, TLS and so on, fully resolved. Time-outs do not belong here: poolers refuse them. */
  connection: pg.ClientConfig;
  poolSize: number;
  /** All times in milliseconds. A connection that is unused for this long is closed. */
  idleTimeoutMs: number;
  /** The longest a connection may take to open, which may include waking a sleeping server, or to become free. */
  connectTimeoutMs: number;
  /** 0 is no limit. */
  statementTimeoutMs: number;
  /** Named statements; `auto` is off behind a transaction pooler. */
  preparedStatements: 'auto' | boolean;
  /** The address says that a transaction pooler stands there. One that does not say so is found out. */
  poolerHint?: boolean;
  applicationName: string;
}

/** A connection unused for longer than this is asked for a sign of life before it is lent. In milliseconds, as below. */
const TRUSTED_IDLE = 2_000;
const SIGN_OF_LIFE = 500;
/** The longest a probe may take to connect while something is known to be wrong. */
const PROBE_CONNECT = 3_000;
const SWEEP = 1_000;
const CLOSE_GRACE = 2_000;

/** Makes the pool. It connects when a connection is needed. */
export function createDatabase(options: DatabaseOptions, log: Logger) {
  const pool = new ConnectionPool(options, log);
  const { availability } = pool;
  // drizzle takes a connection for each transaction where the name of the class says Pool.
  const db: NodePgDatabase = drizzle({ client: pool as unknown as pg.Pool });
  logTransactions(db, log);
  return {
    db,
    pool,
    /** See transaction.ts, whose function does the same for who has `db` alone. */
    transaction: <T>(fn: (tx: Transaction) => Promise<T>): Promise<T> => transaction(db, fn),
    /** False from a failed attempt to connect until the database answers again. */
    get available(): boolean {
      return availability.available;
    },
    /** What is known of it without a question of one's own: see availability.ts. */
    verdict: () => availability.verdict(),
    /** How often it was needed and not to be had, since start. */
    get failures(): number {
      return availability.failures;
    },
    /** Whether a pooler stands between; unknown before the first connection. */
    get pooler(): boolean | undefined {
      return pool.pooler;
    },
    /**
     * Asks the database for a sign of life; one question at a time, shared by all who ask.
     *
     * @throws DatabaseUnavailableError, or the signal's reason when that is aborted first.
     */
    probe: (signal?: AbortSignal) => availability.probe(signal),
    /** How long the first in the queue for a connection has waited while others were served, in milliseconds. */
    waitedMs: () => pool.waitedMs,
    stats: () => pool.stats(),
    /** Has each statement and each wait for a connection measured from now on. */
    observe: (observer: DatabaseObserver) => pool.observe(observer),
    /** Ends every connection; one that is in use gets two seconds to be given back. */
    close: () => pool.close(),
  };
}

export type Database = Readonly<ReturnType<typeof createDatabase>>;

/** Connections of one process to its database. It refuses at once while the database is away, and never lends a dead connection. */
export class ConnectionPool {
  readonly availability: Availability;
  pooler: boolean | undefined;
  readonly #options: DatabaseOptions;
  readonly #settings: SessionConfig;
  readonly #sweepLimit: number;
  readonly #log: Logger;
  /** All that are open, are being opened, or are ending. */
  readonly #open = new Set<DatabaseClient>();
  /** The last used last. */
  #idle: DatabaseClient[] = [];
  readonly #lent = new Set<DatabaseClient>();
  readonly #queue: AcquireQueue;
  #sweeper: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: DatabaseOptions, log: Logger) {
    const rules: SessionRules = {
      statementTimeoutMs: options.statementTimeoutMs,
      checkInterval: '5s',
      preparedStatements: options.preparedStatements,
      poolerHint: options.poolerHint ?? false,
      onSession: (behindPooler) => this.#onSession(behindPooler),
      onAnswer: () => this.availability.answered(),
      onConnectFailed: (error, since) => this.#onConnectFailed(error, since),
      onLost: () => this.availability.lost(),
    };
    this.#options = options;
    this.#settings = {
      ...options.connection,
      application_name: options.applicationName,
      connectTimeoutMs: options.connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      rules,
    };
    this.#queue = new AcquireQueue(options.poolSize, options.connectTimeoutMs);
    this.#sweepLimit =
      options.statementTimeoutMs > 0 ? Math.ceil(options.statementTimeoutMs / SWEEP) + 1 : Infinity;
    this.#log = log;
    this.availability = new Availability(
      () => this.#ask(),
      (error) => this.#onAway(error),
      log,
    );
  }

  /** How long the first has waited while others were served: 0 where the database says nothing, which is no queue. */
  get waitedMs(): number {
    const since = this.#queue.firstSince;
    return since === undefined ? 0 : Math.max(0, this.availability.lastAnswer - since);
  }

  stats(): { total: number; idle: number; waiting: number; max: number } {
    const { entered, length: waiting } = this.#queue;
    const idle = this.#idle.length;
    return { total: idle + entered, idle, waiting, max: this.#options.poolSize };
  }

  observe(observer: DatabaseObserver): void {
    this.#settings.rules.observer = observer;
  }

  /**
   * Lends a connection. `release()` gives it back; with an error, or in the middle of a transaction, that closes it.
   *
   * @throws DatabaseUnavailableError while the database is away, or when no connection becomes free in time.
   */
  async connect(): Promise<DatabaseClient> {
    const { observer } = this.#settings.rules;
    const began = performance.now();
    try {
      return await this.#checkout(TRUSTED_IDLE);
    } finally {
      observer?.acquire(performance.now() - began);
    }
  }

  /** Runs one statement on a connection of the pool, which is kept after an error that is only the statement's. */
  async query(text: string | pg.QueryConfig, values?: unknown[]): Promise<pg.QueryResult> {
    const client = this.#atOnce() ?? (await this.connect());
    try {
      return await client.query(text, values);
    } catch (error) {
      // Names the caller in place of the socket that brought the answer.
      if (error instanceof Error) Error.captureStackTrace(error);
      throw error;
    } finally {
      client.release();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#queue.refuse(new DatabaseUnavailableError('the pool is closed'));
    for (const client of this.#idle.splice(0)) this.#end(client);
    const late = setTimeout(() => this.#abandonAll('the pool was closed'), CLOSE_GRACE);
    await Promise.all([...this.#open].map((client) => client.ended));
    clearTimeout(late);
  }

  /** What a busy server does most: lends the connection that was used last, without waiting for anything. */
  #atOnce(): DatabaseClient | undefined {
    if (this.#closed || !this.availability.available) return undefined;
    assertStillWanted();
    const client = this.#idle.at(-1);
    if (client === undefined || !isFresh(client, TRUSTED_IDLE) || !this.#queue.tryEnter()) return undefined;
    this.#idle.pop();
    this.#settings.rules.observer?.acquire(0);
    return this.#lend(client);
  }

  /** @param trustedIdle A connection unused for this many milliseconds must answer first. */
  async #checkout(trustedIdle: number): Promise<DatabaseClient> {
    assertStillWanted();
    if (!this.availability.available) await this.availability.admit();
    for (;;) {
      if (this.#closed) throw new DatabaseUnavailableError('the pool is closed');
      if (!this.#queue.tryEnter()) await this.#queue.queueUp();
      const client = this.#lend(this.#idle.pop() ?? (await this.#connect()));
      if (isFresh(client, trustedIdle) || (await client.answers(SIGN_OF_LIFE))) return client;
      client.release(true);
      // What ended one connection ended those that are as old: ask none of them, open a new one.
      this.#dropIdle();
    }
  }

  async #connect(): Promise<DatabaseClient> {
    try {
      return await this.#newClient(this.#settings.connectTimeoutMs).connect();
    } catch (error) {
      this.#queue.leave();
      throw error;
    }
  }

  #newClient(connectTimeoutMs: number): DatabaseClient {
    const client = new DatabaseClient({ ...this.#settings, connectTimeoutMs });
    this.#open.add(client);
    client.ended.then(() => this.#onEnded(client));
    return client;
  }

  #lend(client: DatabaseClient): DatabaseClient {
    this.#lent.add(client);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP).unref();
    let lent = true;
    client.release = (error) => {
      if (!lent) return;
      lent = false;
      this.#lent.delete(client);
      client.usedAt = Date.now();
      // In the middle of a transaction it is of no use to the next user.
      const unfit = error || client.lost || client.getTransactionStatus() !== 'I';
      if (unfit || this.#closed) this.#end(client);
      else this.#idle.push(client);
      this.#queue.leave();
    };
    return client;
  }

  #end(client: DatabaseClient): void {
    if (!client.lost) client.end().catch(() => {});
  }

  #onEnded(client: DatabaseClient): void {
    this.#open.delete(client);
    // drizzle does not release a connection on which a transaction could not begin.
    client.release();
    const at = this.#idle.indexOf(client);
    if (at < 0) return;
    this.#idle.splice(at, 1);
    // A server that is restarted or put to sleep closes idle connections (57P01, ECONNRESET). That harms no request.
    this.availability.idleOneLost();
    this.#log.debug({ reason: client.whyLost }, 'An idle database connection was closed');
  }

  #dropIdle(): void {
    for (const client of this.#idle.splice(0)) client.abandon('given up together with others of its age');
  }

  #abandonAll(why: string): void {
    for (const client of this.#open) client.abandon(why);
  }

  #onAway(error: DatabaseUnavailableError): void {
    this.#queue.refuse(error);
    for (const client of this.#open) if (client.opening) client.abandon(error.reason);
    this.#dropIdle();
    this.#abandonSilent();
  }

  /** One sign of life: over a connection of the pool; while something is wrong, over one of its own. */
  async #ask(): Promise<void> {
    const { availability } = this;
    const troubled = !availability.available || availability.silent;
    if (!troubled && this.#queue.hasRoom) return (await this.#checkout(0)).release();
    if (!troubled && availability.answeredRecently) return;
    try {
      const client = this.#newClient(Math.min(this.#settings.connectTimeoutMs, PROBE_CONNECT));
      await client.connect();
      await client.end();
    } catch (error) {
      if (!availability.available) throw error;
    }
  }

  /**
   * Runs each second while a connection is lent or idle, and only then. It is the limit of a statement on this side (one
   * timer for all of them), notices that nothing is answered any more long before that limit, and closes what is idle. It
   * counts its own rounds rather than time: a process that was frozen for an hour has waited one round.
   */
  #sweep(): void {
    const busy = [...this.#lent].filter((client) => client.busy);
    for (const client of busy) {
      client.silentSweeps++;
      if (client.silentSweeps > this.#sweepLimit)
        client.abandon(`no answer within ${client.silentSweeps - 1} s`);
    }
    if (!this.availability.available) this.#abandonSilent();
    this.availability.swept(busy.length > 0);
    const { idleTimeoutMs } = this.#options;
    const kept = this.#idle.filter((client) => isFresh(client, idleTimeoutMs));
    for (const client of this.#idle) if (!kept.includes(client)) this.#end(client);
    this.#idle = kept;
    if (this.#lent.size + kept.length > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #abandonSilent(): void {
    for (const client of this.#lent)
      if (client.silentSweeps >= SUSPICIOUS_SWEEPS) client.abandon('no answer, and the database is away');
  }

  #onConnectFailed(error: DatabaseUnavailableError, since: number): void {
    // A full server still answers over the connections that there are.
    const full = (error.cause as pg.DatabaseError | undefined)?.code === '53300';
    if (full && this.#lent.size + this.#idle.length > 0) this.availability.answered();
    else this.availability.failed(error, since);
  }

  #onSession(behindPooler: boolean): void {
    if (this.pooler === behindPooler) return;
    this.pooler = behindPooler;
    if (!behindPooler) return;
    const named = this.#options.preparedStatements === true ? 'on, as DB_PREPARED_STATEMENTS demands' : 'off';
    this.#log.info(
      `The database is behind a transaction pooler: named statements are ${named}; statements are limited in time from this side only`,
    );
  }
}

/** Whether a connection was used within the limit, in milliseconds. The wall clock goes on while the process is frozen, and may be set back. */
function isFresh({ usedAt }: DatabaseClient, limitMs: number): boolean {
  const unused = Date.now() - usedAt;
  return unused >= 0 && unused < limitMs;
}

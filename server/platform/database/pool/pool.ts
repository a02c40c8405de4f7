import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { assertStillWanted } from '../../lib/request-work.ts';
import { AcquireQueue } from './acquire-queue.ts';
import { Availability, type Logger } from './availability.ts';
import { DatabaseClient, type DatabaseObserver, type SessionConfig, type SessionRules } from './client.ts';
import { DatabaseUnavailableError } from './unavailable.ts';

export interface DatabaseOptions {
  /**
   * Host, user, TLS and so on, fully resolved; a promise where the server is being started, which the first who needs a
   * connection awaits. Time-outs do not belong here: poolers refuse them.
   */
  connection: pg.ClientConfig | Promise<pg.ClientConfig>;
  poolSize: number;
  /** All times in milliseconds. A connection that nobody has used for this long is closed. */
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

export interface Database {
  readonly db: NodePgDatabase;
  readonly pool: pg.Pool;
  /** False from a failed attempt to connect until the database answers again. */
  readonly available: boolean;
  /** What is known of it without a question of one's own: see availability.ts. */
  verdict(): Promise<'there' | 'away' | undefined>;
  /** How often it was needed and not to be had, since start. */
  readonly failures: number;
  /** Whether a pooler stands between; unknown before the first connection. */
  readonly pooler: boolean | undefined;
  /**
   * Asks the database for a sign of life; one question at a time, shared by all who ask.
   *
   * @throws DatabaseUnavailableError, or the signal's reason when that is aborted first.
   */
  probe(signal?: AbortSignal): Promise<void>;
  /** How long the first of those who wait for a connection has waited while others were served, in milliseconds. */
  waitedMs(): number;
  stats(): { total: number; idle: number; waiting: number; max: number };
  /** Has each statement and each wait for a connection measured from now on. */
  observe(observer: DatabaseObserver): void;
  /** Ends every connection; one that is in use gets two seconds to be given back. */
  close(): Promise<void>;
}

/** A connection unused for longer than this is asked for a sign of life before it is lent. In milliseconds, as below. */
const TRUSTED_IDLE = 2_000;
const SIGN_OF_LIFE = 500;
/** The longest a probe may take to connect while something is known to be wrong. */
const PROBE_CONNECT = 3_000;
const SWEEP = 1_000;
/** So many sweeps without an answer to any statement, and the pool asks whether the database is there. */
const SUSPICIOUS_SWEEPS = 2;
const CLOSE_GRACE = 2_000;

/** Makes the pool; connects to nothing until someone asks. */
export function createDatabase(options: DatabaseOptions, log: Logger): Database {
  const pool = new WatchedPool(options, log);
  return {
    db: drizzle({ client: pool }),
    pool,
    get available() {
      return pool.availability.available;
    },
    get failures() {
      return pool.availability.failures;
    },
    get pooler() {
      return pool.pooler;
    },
    verdict: () => pool.availability.verdict(),
    probe: (signal) => pool.availability.probe(signal),
    waitedMs: () => pool.waitedMs,
    stats: () => ({
      total: pool.totalCount,
      idle: pool.unused,
      waiting: pool.queued,
      max: options.poolSize,
    }),
    observe: (observer) => pool.observe(observer),
    close: () => pool.close(),
  };
}

type Lent = DatabaseClient & pg.PoolClient & { giveBack: pg.PoolClient['release'] };

/** The wall clock goes on while the process is frozen, and may be set back. */
function isFresh({ usedAt }: DatabaseClient, limitMs: number): boolean {
  const unused = Date.now() - usedAt;
  return unused >= 0 && unused < limitMs;
}

/**
 * pg's pool, made to fail fast and to recover.
 *
 * It refuses at once while the database is away, never lends a connection that died unnoticed (a frozen process, a
 * network that forgot it), keeps one whose statement was merely wrong, and takes back one whose user cannot.
 */
class WatchedPool extends pg.Pool {
  readonly availability: Availability;
  pooler: boolean | undefined;
  readonly #settings: SessionConfig;
  readonly #sweepLimit: number;
  readonly #log: Logger;
  readonly #idle = new Set<DatabaseClient>();
  /** Those of the idle ones that will be needed again at once, the last used last. pg's pool takes them for lent. */
  readonly #warm: Lent[] = [];
  readonly #lent = new Set<DatabaseClient>();
  /** Before those that may be lent. */
  readonly #line: AcquireQueue;
  /** While the address is not known yet. */
  #address: Promise<void> | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #silentSweeps = 0;

  constructor(options: DatabaseOptions, log: Logger) {
    const rules: SessionRules = {
      statementTimeoutMs: options.statementTimeoutMs,
      checkInterval: '5s',
      preparedStatements: options.preparedStatements,
      poolerHint: options.poolerHint ?? false,
      opening: new Set(),
      onSession: (behindPooler) => this.#session(behindPooler, options.preparedStatements),
      onAnswer: () => {
        this.#silentSweeps = 0;
        this.availability.answered();
      },
      onConnectFailed: (error, since) => this.#connectFailed(error, since),
      onLost: () => this.availability.lost(),
    };
    const { connection } = options;
    const settings: SessionConfig = {
      ...(connection instanceof Promise ? {} : connection),
      application_name: options.applicationName,
      connectTimeoutMs: options.connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      rules,
    };
    super({
      ...settings,
      max: options.poolSize,
      idleTimeoutMillis: options.idleTimeoutMs,
      Client: DatabaseClient as unknown as new () => pg.ClientBase,
    });
    this.#settings = settings;
    if (connection instanceof Promise) {
      this.#address = connection.then((known) => {
        // pg's pool hands its options to each connection that it opens.
        for (const target of [this.#settings, this.options]) Object.assign(target, known);
        this.#address = undefined;
      });
      // Who asks for a connection is told; nobody else has to know.
      this.#address.catch(() => {});
    }
    this.#line = new AcquireQueue(options.poolSize, options.connectTimeoutMs);
    this.#sweepLimit =
      options.statementTimeoutMs > 0 ? Math.ceil(options.statementTimeoutMs / SWEEP) + 1 : Infinity;
    this.#log = log;
    this.availability = new Availability(
      () => this.#ask(),
      (error) => this.#wentAway(error),
      log,
    );
    // A server that is restarted or put to sleep closes idle connections (57P01, ECONNRESET). That harms nobody.
    this.on('error', (error) => this.#idleOneClosed(error.message));
    this.on('remove', (client) => this.#idle.delete(client as unknown as Lent));
    this.on('connect', (client) => client.once('end', () => this.#ended(client as unknown as Lent)));
  }

  /** How long the first has waited while others were served: 0 where the database says nothing, which is no queue. */
  get waitedMs(): number {
    const since = this.#line.firstSince;
    return since === undefined ? 0 : Math.max(0, this.availability.lastAnswer - since);
  }

  /** Connections that are open and lent to nobody. */
  get unused(): number {
    return this.#idle.size;
  }

  /** How many wait for a connection. */
  get queued(): number {
    return this.#line.length;
  }

  // biome-ignore lint/suspicious/noExplicitAny: pg's declarations have an overload for each form of a call.
  override connect(callback?: (...result: any[]) => void): any {
    const lent = this.#borrow();
    if (!callback) return lent;
    lent.then((client) => callback(undefined, client, client.release), callback);
  }

  /** Unlike pg's own, which discards the connection after any error, even a violated constraint. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  override query(...args: any[]): any {
    const callback = typeof args.at(-1) === 'function' ? args.pop() : undefined;
    const result = this.#query(args[0], args[1]);
    if (!callback) return result;
    result.then((rows) => callback(undefined, rows), callback);
  }

  async #query(text: string, values?: unknown[]): Promise<pg.QueryResult> {
    const client = this.#atOnce() ?? (await this.#borrow());
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

  observe(observer: DatabaseObserver): void {
    this.#settings.rules.observer = observer;
  }

  async close(): Promise<void> {
    if (this.ending) return;
    clearInterval(this.#sweeper);
    this.#line.refuse(new DatabaseUnavailableError('the pool is closed'));
    const late = setTimeout(() => {
      for (const client of [...this.#lent, ...this.#settings.rules.opening])
        client.abandon('the pool was closed');
    }, CLOSE_GRACE);
    this.#cool(0);
    await this.end();
    this.#idle.clear();
    clearTimeout(late);
  }

  /** What a busy server does most: the connection that was used last, without waiting for anything. */
  #atOnce(): Lent | undefined {
    if (this.#address || this.ending || !this.availability.available) return undefined;
    assertStillWanted();
    const client = this.#warm.at(-1);
    if (client === undefined || client.lost || !isFresh(client, TRUSTED_IDLE)) return undefined;
    if (!this.#line.tryEnter()) return undefined;
    this.#warm.pop();
    this.#settings.rules.observer?.acquire(0);
    return this.#lend(client);
  }

  /** A connection for a statement of the application. */
  #borrow(): Promise<Lent> {
    const lent = this.#checkout(TRUSTED_IDLE);
    const { observer } = this.#settings.rules;
    if (observer === undefined) return lent;
    const began = performance.now();
    const measured = () => observer.acquire(performance.now() - began);
    lent.then(measured, measured);
    return lent;
  }

  /** @param trustedIdle A connection unused for this many milliseconds must answer first. */
  async #checkout(trustedIdle: number): Promise<Lent> {
    if (this.#address) await this.#address;
    assertStillWanted();
    if (!this.availability.available) await this.availability.admit();
    for (;;) {
      if (this.ending) throw new DatabaseUnavailableError('the pool is closed');
      if (!this.#line.tryEnter()) await this.#line.queueUp();
      const client = await this.#take();
      if (isFresh(client, trustedIdle)) return client;
      if (await client.answers(SIGN_OF_LIFE)) return client;
      client.release(true);
      // What ended one connection ended those that are as old: ask none of them, open a new one.
      this.#dropIdle();
    }
  }

  /** Takes a connection that was used just now, or one out of pg's pool, where there is room for it. */
  #take(): Promise<Lent> {
    const warm = this.#warm.pop();
    if (warm !== undefined) return Promise.resolve(this.#lend(warm));
    return new Promise((resolve, reject) => {
      super.connect((error, client) => {
        if (client) {
          const opened = client as unknown as Lent;
          opened.giveBack = opened.release;
          return resolve(this.#lend(opened));
        }
        this.#line.leave();
        reject(error);
      });
    });
  }

  #lend(client: Lent): Lent {
    this.#idle.delete(client);
    this.#lent.add(client);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP).unref();
    let lent = true;
    client.release = (error) => {
      if (!lent) return;
      lent = false;
      this.#lent.delete(client);
      client.usedAt = Date.now();
      // In the middle of a transaction it is of no use to the next one.
      const unfit = error || client.lost || client.getTransactionStatus() !== 'I';
      if (unfit || this.ending) client.giveBack(unfit);
      else {
        this.#idle.add(client);
        // pg's pool would set a timer for it, end that timer, and make the next one wait for a turn of the loop.
        this.#warm.push(client);
      }
      this.#line.leave();
    };
    return client;
  }

  /** Hands those to pg's pool that nobody has used for so many milliseconds; it closes them in the end. */
  #cool(unusedFor: number): void {
    let [client] = this.#warm;
    while (client && (client.lost || !isFresh(client, unusedFor))) {
      this.#warm.shift();
      client.giveBack(client.lost);
      [client] = this.#warm;
    }
  }

  #ended(client: Lent): void {
    const at = this.#warm.indexOf(client);
    // Some never give back what has failed: drizzle, when a transaction cannot even begin.
    if (at === -1) client.release();
    else {
      this.#warm.splice(at, 1);
      client.giveBack(true);
      this.#idleOneClosed(client.whyLost);
    }
  }

  #idleOneClosed(reason: string | undefined): void {
    this.availability.idleOneLost();
    this.#log.debug({ reason }, 'An idle database connection was closed');
  }

  #dropIdle(): void {
    this.#cool(0);
    for (const client of this.#idle) {
      // The pool's own listener takes it out of the pool there and then.
      client.emit('error', new Error('given up together with others of its age'));
      client.abandon('given up together with others of its age');
    }
    this.#idle.clear();
  }

  #wentAway(error: DatabaseUnavailableError): void {
    this.#line.refuse(error);
    for (const client of this.#settings.rules.opening) client.abandon(error.reason);
    this.#dropIdle();
    this.#abandonSilent();
  }

  /** One sign of life: over a connection of the pool; while something is wrong, over one of its own. */
  async #ask(): Promise<void> {
    if (this.#address) await this.#address;
    const troubled = !this.availability.available || this.#silentSweeps >= SUSPICIOUS_SWEEPS;
    if (!troubled && this.#line.hasRoom) return (await this.#checkout(0)).release();
    if (!troubled && this.availability.answeredRecently) return;
    const connectTimeoutMs = Math.min(this.#settings.connectTimeoutMs, PROBE_CONNECT);
    const client = new DatabaseClient({ ...this.#settings, connectTimeoutMs });
    try {
      await client.connect();
      await client.end();
    } catch (error) {
      if (!this.availability.available) throw error;
    }
  }

  /**
   * Runs each second while a connection is lent, and only then. It is the limit of a statement on this side (one timer
   * for all of them), and notices that nothing is answered any more long before that limit. It counts its own rounds
   * rather than time: a process that was frozen for an hour has waited one round.
   */
  #sweep(): void {
    let waiting = false;
    for (const client of this.#lent) {
      if (!client.busy) continue;
      waiting = true;
      client.silentSweeps++;
      if (client.silentSweeps > this.#sweepLimit)
        client.abandon(`no answer within ${client.silentSweeps - 1} s`);
    }
    if (!this.availability.available) this.#abandonSilent();
    this.#silentSweeps = waiting ? this.#silentSweeps + 1 : 0;
    if (this.#silentSweeps >= SUSPICIOUS_SWEEPS) this.availability.suspect();
    this.#cool(this.#lent.size === 0 ? 0 : SWEEP);
    if (this.#lent.size === 0 && this.#warm.length === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    }
  }

  #abandonSilent(): void {
    for (const client of this.#lent) {
      if (client.silentSweeps >= SUSPICIOUS_SWEEPS) client.abandon('no answer, and the database is away');
    }
  }

  #connectFailed(error: DatabaseUnavailableError, since: number): void {
    // A server that is full is there for those who have a connection already.
    const full = (error.cause as pg.DatabaseError | undefined)?.code === '53300';
    if (full && this.#lent.size + this.#idle.size > 0) this.availability.answered();
    else this.availability.failed(error, since);
  }

  #session(behindPooler: boolean, preparedStatements: 'auto' | boolean): void {
    if (this.pooler === behindPooler) return;
    this.pooler = behindPooler;
    if (!behindPooler) return;
    const named = preparedStatements === true ? 'on, as DB_PREPARED_STATEMENTS demands' : 'off';
    this.#log.info(
      `The database is behind a transaction pooler: named statements are ${named}; statements are limited in time from this side only`,
    );
  }
}

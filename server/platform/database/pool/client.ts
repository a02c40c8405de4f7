import pg from 'pg';
import { assertStillWanted } from '../../lib/request-work.ts';
import { DatabaseUnavailableError, describeConnectError, endsSession } from './unavailable.ts';

/** What all connections of one pool have in common, and to whom they report. */
export interface SessionRules {
  /** On the server, for connections that are ours alone; 0 is no limit. In milliseconds. */
  statementTimeoutMs: number;
  /** How often a backend at work looks whether its client is still there, as PostgreSQL writes times. */
  checkInterval: string;
  /** Known beforehand to go through a transaction pooler. */
  poolerHint?: boolean;
  /** Named statements: none, unless it says otherwise. `auto`: except behind a transaction pooler. */
  preparedStatements?: 'auto' | boolean;
  onSession?(behindPooler: boolean): void;
  onAnswer?(): void;
  /** @param since When the attempt began (`performance.now()`). */
  onConnectFailed?(error: DatabaseUnavailableError, since: number): void;
  onLost?(): void;
  /** Called for each statement that was sent. */
  observer?: DatabaseObserver | undefined;
}

/** Measures the database. All times in milliseconds. */
export interface DatabaseObserver {
  /** @param text As it was sent, with placeholders. @param ms Until it was answered, or failed. */
  query(text: string, ms: number, failed: boolean): void;
  /** @param ms Until a connection was lent, or refused. */
  acquire(ms: number): void;
}

/** Where statements can be run: a connection, or a pool of them. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<pg.QueryResult>;
}

export interface SessionConfig extends pg.ClientConfig {
  rules: SessionRules;
  /** From the first packet until the session is ready for statements. In milliseconds. */
  connectTimeoutMs: number;
}

/**
 * A connection that knows whether it still is one.
 *
 * Failures of the connection itself come out as `DatabaseUnavailableError`, whatever form they had; errors of a
 * statement come out as they are. It reports every answer, so that availability is known without asking.
 */
export class DatabaseClient extends pg.Client {
  /** The backend's process id, or a key of the pooler's. */
  declare readonly processID: number;
  /** Resolves when the connection has ended, however it did. */
  readonly ended: Promise<void>;
  /** Gives it back to the pool that has lent it. */
  release: (error?: unknown) => void = () => {};
  /** Whether it is being opened. */
  opening = false;
  /** Whether a transaction pooler stands between. Known once it is open. */
  behindPooler = false;
  readonly #rules: SessionRules;
  readonly #connectTimeoutMs: number;
  #lost: string | undefined;
  #unnamed = false;
  #statements = 0;
  /** Sweeps of the pool since this connection last said something, counted only while a statement waits. */
  silentSweeps = 0;
  /** When it was last given back, on the wall clock, which goes on while the process is frozen. */
  usedAt = Date.now();

  constructor(config: SessionConfig) {
    super(config);
    this.#rules = config.rules;
    this.#connectTimeoutMs = config.connectTimeoutMs;
    // Without a listener, the end of a connection that is lent would end the process.
    this.on('error', (error) => this.#markLost(error.message));
    this.ended = new Promise((resolve) => {
      this.once('end', () => {
        this.#markLost('the connection was closed');
        resolve();
      });
    });
  }

  get whyLost(): string | undefined {
    return this.#lost;
  }

  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /** Whether a statement has been sent that is not yet answered. */
  get busy(): boolean {
    return this.#statements > 0;
  }

  /** @throws DatabaseUnavailableError */
  override async connect(): Promise<this> {
    const since = performance.now();
    const late = setTimeout(
      () => this.abandon(`no answer within ${this.#connectTimeoutMs} ms`),
      this.#connectTimeoutMs,
    );
    this.opening = true;
    try {
      await super.connect();
      await this.#beginSession();
    } catch (error) {
      this.abandon(describeConnectError(error));
      const unavailable = new DatabaseUnavailableError(this.#lost ?? '', { cause: error });
      this.#rules.onConnectFailed?.(unavailable, since);
      throw unavailable;
    } finally {
      clearTimeout(late);
      this.opening = false;
    }
    this.usedAt = Date.now();
    this.#rules.onAnswer?.();
    return this;
  }

  /**
   * One round trip that finds out whether a pooler stands between, and sets the time-outs where none does.
   *
   * A pooler announces a key of its own in place of the backend's process id. Behind one, a setting would stay with
   * the server's connection and reach its next user; and as startup parameters poolers refuse them. The last
   * setting has a backend stop its work when its client has gone; servers on other platforms than Linux may refuse it.
   */
  async #beginSession(): Promise<void> {
    const { poolerHint = false, preparedStatements = false } = this.#rules;
    this.behindPooler = poolerHint;
    if (!poolerHint) {
      const own = `pg_backend_pid() = ${this.processID}`;
      const set = (name: string, value: string | number) => `set_config('${name}', '${value}', false)`;
      const limit = this.#rules.statementTimeoutMs;
      const { rows } = await super.query(`select ${own} as own,
        case when ${own} then ${set('statement_timeout', limit)} end,
        case when ${own} then ${set('idle_in_transaction_session_timeout', limit)} end,
        case when ${own} and version() like '%linux%' then ${set('client_connection_check_interval', this.#rules.checkInterval)} end`);
      this.behindPooler = !rows[0].own;
    }
    this.#unnamed = preparedStatements === 'auto' ? this.behindPooler : !preparedStatements;
    this.#rules.onSession?.(this.behindPooler);
  }

  // biome-ignore lint/suspicious/noExplicitAny: pg's declarations have an overload for each form of a call.
  override query(config: any, values?: any, callback?: any): any {
    if (this.#unnamed && config?.name) config = { ...config, name: undefined };
    // Cursors and callbacks are the caller's own business; nothing of ours uses them.
    if (typeof config?.submit === 'function' || typeof (callback ?? values) === 'function') {
      return super.query(config, values, callback);
    }
    return new Promise((resolve, reject) => {
      // What has begun is always undone; and drizzle keeps a connection on which it could not begin.
      if (!/^\s*(begin|rollback)/i.test(config?.text ?? config)) assertStillWanted();
      if (this.#statements++ === 0) this.silentSweeps = 0;
      const { observer } = this.#rules;
      const began = observer && performance.now();
      super.query(config, values, (error, result) => {
        if (began !== undefined) {
          observer?.query(config?.text ?? config, performance.now() - began, Boolean(error));
        }
        if (error) return reject(this.#failed(error));
        this.#answered();
        // PostgreSQL answers so where a statement of the transaction has failed, and calls it no error.
        if (result?.command === 'ROLLBACK' && /^\s*commit/i.test(config?.text ?? config))
          return reject(new Error('Rolled back instead of committed: a statement before has failed.'));
        resolve(result);
      });
    });
  }

  #failed(error: Error): Error {
    if (endsSession(error)) this.abandon(error.message);
    if (this.#lost === undefined) {
      this.#answered();
      return error;
    }
    this.#statements--;
    this.#rules.onLost?.();
    return new DatabaseUnavailableError(`connection lost: ${this.#lost}`, { cause: error });
  }

  #answered(): void {
    this.#statements--;
    this.silentSweeps = 0;
    this.#rules.onAnswer?.();
  }

  #markLost(why: string): void {
    this.#lost ??= why;
  }

  /** Closes the connection at once: it is dead, or its answer is waited for too long. */
  abandon(why: string): void {
    this.#markLost(why);
    this.connection.stream.destroy();
  }

  /** Asks for a sign of life; without one within `limitMs` milliseconds, the connection is abandoned. */
  async answers(limitMs: number): Promise<boolean> {
    const limit = setTimeout(() => this.abandon(`no answer within ${limitMs} ms`), limitMs);
    try {
      await super.query('select 1');
      this.#rules.onAnswer?.();
      return true;
    } catch {
      return false;
    } finally {
      clearTimeout(limit);
    }
  }
}

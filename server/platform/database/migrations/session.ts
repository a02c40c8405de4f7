import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { within } from '../../lib/within.ts';
import { DatabaseClient } from '../pool/client.ts';
import { findUnavailable } from '../pool/unavailable.ts';

/** lock_not_available, deadlock_detected, serialization_failure: the same statement may succeed a moment later. */
const CONTENTION = new Set(['55P03', '40P01', '40001']);
/** Insufficient resources, errors of the system, operator intervention other than a cancelled statement; read-only. */
const NOT_THE_MIGRATION = /^(53|58|57P|25006)/;

/** The first attempt may have to wake a sleeping server. In milliseconds. */
const FIRST_CONNECT = 8_000;
const NEXT_CONNECT = 3_000;
/** A server that does not answer the end of a session is left after this time, in milliseconds. */
const END_MS = 500;

/** The one direct connection of a migration. */
export class Session extends DatabaseClient {
  readonly #connection: pg.ClientConfig;
  #lastResort: NodeJS.Timeout | undefined;

  constructor(connection: pg.ClientConfig, connectTimeoutMs: number) {
    super({
      ...connection,
      application_name: connection.application_name ?? 'migrations',
      connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
      rules: { statementTimeoutMs: 0, checkInterval: '1s' },
    });
    this.#connection = connection;
  }

  /** Has the server cancel what runs, so that it is rolled back before this returns from `query`. */
  async cancel(): Promise<void> {
    if (!this.busy || this.behindPooler) return this.abandon('the process is stopping');
    this.#lastResort = setTimeout(() => this.abandon('the process is stopping'), 2_000);
    const other = new Session(this.#connection, 1_500);
    try {
      await other.connect();
      await other.query('select pg_cancel_backend($1)', [this.processID]);
    } catch {
      // The last resort stands.
    }
    await other.leave();
  }

  async leave(): Promise<void> {
    clearTimeout(this.#lastResort);
    if (!this.lost) await within(this.end(), END_MS, () => new Error('no answer')).catch(() => {});
    this.abandon('left');
  }
}

/**
 * Opens one for as long as `work` takes; `signal` cancels what runs on it.
 *
 * @param attempt How often it has been tried in vain.
 */
export async function withSession<T>(
  connection: pg.ClientConfig,
  signal: AbortSignal,
  work: (session: Session) => Promise<T>,
  attempt = 0,
): Promise<T> {
  const session = new Session(connection, attempt === 0 ? FIRST_CONNECT : NEXT_CONNECT);
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

/** Why to try again, for an error that is not the migration's fault. */
export function passingReason(error: unknown): string | undefined {
  const unavailable = findUnavailable(error);
  if (unavailable) return unavailable.reason;
  if (error instanceof pg.DatabaseError && NOT_THE_MIGRATION.test(error.code ?? '')) return error.message;
  return undefined;
}

/** Whether the same statement may succeed a moment later, because another transaction was in its way. */
export function isContention(error: unknown): boolean {
  return error instanceof pg.DatabaseError && CONTENTION.has(error.code ?? '');
}

/**
 * Waits before the next attempt: longer each time, up to `most`, and never as long as another process does. A second
 * and a half at most, and three for the attempt itself, are below the five in which a return has to be noticed.
 */
export async function pause(attempt: number, signal: AbortSignal, first = 250, most = 1_500): Promise<void> {
  const ms = Math.min(most, first * 2 ** attempt) * (0.5 + Math.random() / 2);
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

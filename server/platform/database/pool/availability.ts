import type { BaseLogger } from 'pino';
import { apartFromRequests } from '../../lib/request-work.ts';
import { untilAborted } from '../../lib/until-aborted.ts';
import { within } from '../../lib/within.ts';
import { DatabaseUnavailableError } from './unavailable.ts';

/** So many sweeps of the pool without an answer to any statement, and the database is asked whether it is there. */
export const SUSPICIOUS_SWEEPS = 2;

export type Logger = Pick<BaseLogger, 'debug' | 'info' | 'warn'>;

/** While away, a new probe starts at the earliest this long after the last one ended. In milliseconds, as all here. */
const PROBE_GAP = 500;
/** Requests wait for a probe's result until it has been out this long: after a return most get through, in silence few wait. */
const PROBE_GRACE = 250;
/** An answer this recent is proof that the database is there, even if no connection is free to ask again. */
const RECENT = 5_000;
/** Away for less than this may be a restart of the database: one of a second, and the gap before the probe that sees its end. */
const RESTART = 1_000 + PROBE_GAP;
/** An attempt that met silence for this long is no restart. */
const SILENCE = 1_000;

/**
 * Whether the database is there, learnt from every answer and every failed attempt to connect.
 *
 * While it is away, requests are refused at once, and requests start the probes. Without requests there are no probes, so
 * an idle process lets a managed database sleep.
 */
export class Availability {
  /** How often the database was needed and not to be had, since start: attempts to connect, statements, refusals. */
  failures = 0;
  readonly #ask: () => Promise<void>;
  readonly #onAway: (error: DatabaseUnavailableError) => void;
  readonly #log: Logger;
  /** `provenAt`: from then on it is no restart. `logged`: whether a warning was written. */
  #away: { reason: string; since: number; provenAt: number; logged: boolean } | undefined;
  /** When a connection was last seen to end by itself. */
  #lostAt = Number.NEGATIVE_INFINITY;
  #flight: Promise<void> | undefined;
  #flightBegan = Number.NEGATIVE_INFINITY;
  #probeEnded = Number.NEGATIVE_INFINITY;
  #lastAnswer = Number.NEGATIVE_INFINITY;
  #silentSweeps = 0;

  /**
   * @param ask One question to the database, bounded in time; it reports its own outcome through `answered` and `failed`.
   * @param onAway Called once on each loss.
   */
  constructor(ask: () => Promise<void>, onAway: (error: DatabaseUnavailableError) => void, log: Logger) {
    this.#ask = ask;
    this.#onAway = onAway;
    this.#log = log;
  }

  get available(): boolean {
    return this.#away === undefined;
  }

  /** When the database last said anything (`performance.now()`). */
  get lastAnswer(): number {
    return this.#lastAnswer;
  }

  get #hasAnswered(): boolean {
    return this.#lastAnswer > Number.NEGATIVE_INFINITY;
  }

  /** Whether the database has said anything within the last five seconds. */
  get answeredRecently(): boolean {
    return performance.now() - this.#lastAnswer < RECENT;
  }

  /** The database said something. Called for every statement, so it does next to nothing. */
  answered(): void {
    this.#lastAnswer = performance.now();
    this.#silentSweeps = 0;
    const away = this.#away;
    if (!away) return;
    this.#away = undefined;
    const level = away.logged ? 'info' : 'debug';
    this.#log[level]({ awayMs: Math.round(performance.now() - away.since) }, 'The database is back');
  }

  /** Whether statements wait, and none is answered. */
  get silent(): boolean {
    return this.#silentSweeps >= SUSPICIOUS_SWEEPS;
  }

  /** A sweep of the pool has ended. @param waiting Whether any statement waits for an answer. */
  swept(waiting: boolean): void {
    this.#silentSweeps = waiting ? this.#silentSweeps + 1 : 0;
    if (this.silent) this.suspect();
  }

  /**
   * An attempt to connect has failed.
   *
   * @param since When it began, on the `performance.now()` clock: an answer that came later outweighs it.
   */
  failed(error: DatabaseUnavailableError, since: number): void {
    if (this.#lastAnswer >= since) return;
    this.failures++;
    const now = performance.now();
    const isNew = this.#away === undefined;
    const began = this.#lostAt > this.#lastAnswer ? Math.min(this.#lostAt, since) : since;
    const provenAt = now - since >= SILENCE ? now : began + RESTART;
    this.#away ??= { reason: '', since: now, provenAt, logged: false };
    this.#away.reason = error.reason;
    // A database that starts together with this process is no reason for a warning.
    if (!this.#away.logged && (this.#hasAnswered || now >= this.#away.provenAt)) {
      this.#away.logged = true;
      this.#log.warn(
        { reason: error.reason },
        'The database is away: requests that need it are refused until it answers',
      );
    }
    if (isNew) this.#onAway(error);
  }

  /**
   * Asks once; callers that come while the question is out share its answer.
   *
   * @throws DatabaseUnavailableError, or the signal's reason when the caller stops waiting (the question goes on).
   */
  probe(signal?: AbortSignal): Promise<void> {
    if (!this.#flight) {
      this.#flightBegan = performance.now();
      this.#flight = apartFromRequests(this.#ask).finally(() => {
        this.#flight = undefined;
        this.#probeEnded = performance.now();
      });
    }
    return signal ? untilAborted(this.#flight, signal) : this.#flight;
  }

  /** A connection ended under a statement. */
  lost(): void {
    this.failures++;
    this.idleOneLost();
    this.suspect();
  }

  /** An idle connection ended, which proves nothing; so the next call of `verdict` probes. */
  idleOneLost(): void {
    this.#lostAt = performance.now();
  }

  /** Something looked wrong: probes, without waiting for the result. */
  suspect(): void {
    this.probe().catch(() => {});
  }

  /**
   * What is known of the database, for `/ready`. A restart within a second does not count as away.
   *
   * @returns undefined where nothing is known for sure. While something is wrong, after at most a quarter of a second.
   */
  async verdict(): Promise<'there' | 'away' | undefined> {
    if (this.#away || this.#lostAt > this.#lastAnswer) await this.#lookAgain();
    if (this.#away) return performance.now() >= this.#away.provenAt ? 'away' : undefined;
    return this.answeredRecently ? 'there' : undefined;
  }

  /** @throws DatabaseUnavailableError while the database is away, after at most a quarter of a second. */
  async admit(): Promise<void> {
    if (!this.#away) return;
    await this.#lookAgain();
    if (!this.#away) return;
    this.failures++;
    throw new DatabaseUnavailableError(this.#away.reason);
  }

  /** Starts a probe where one is due, and waits a moment for its result. */
  async #lookAgain(): Promise<void> {
    if (!this.#flight && performance.now() - this.#probeEnded >= PROBE_GAP) this.suspect();
    const leftMs = this.#flightBegan + PROBE_GRACE - performance.now();
    if (!this.#flight || leftMs <= 0) return;
    await within(this.#flight, leftMs, () => new Error('no result yet')).catch(() => {});
  }
}

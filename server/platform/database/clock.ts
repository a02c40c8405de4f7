import { apartFromRequests } from '../lib/request-work.ts';
import type { Logger } from './pool/availability.ts';

/** A longer `setTimeout` fires at once (https://nodejs.org/api/timers.html#settimeoutcallback-delay-args). */
const MAX_WAIT_MS = 2 ** 31 - 1;

/**
 * One timer for the next due time of anything; none while nothing is due.
 *
 * After a freeze what is due runs once. A wall clock that was set forward is noticed at the next `check`. One that was set back
 * delays nothing: what the timer has waited for runs, early by the wall clock.
 */
export class Clock {
  readonly #due = new Map<string, { readonly at: number; readonly run: () => void }>();
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #next = Number.POSITIVE_INFINITY;
  #ended = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Calls `fn` once, at its time or as soon as the process runs after it. Replaces what was due under this name.
   *
   * @param name Of the part and what is due, such as `jobs`.
   * @param dueMs Milliseconds since 1970, in the past for as soon as possible. Undefined: nothing is due under this name.
   * @param fn Its errors are logged.
   */
  at(name: string, dueMs: number | undefined, fn: () => void): void {
    if (this.#ended) return;
    if (dueMs === undefined) this.#due.delete(name);
    else this.#due.set(name, { at: dueMs, run: fn });
    this.#arm();
  }

  /** Runs what is due by the wall clock. Cheap, so that each request and probe may call it. */
  check(): void {
    if (Date.now() >= this.#next) this.#ring();
  }

  /** Forgets everything that is due. */
  end(): void {
    this.#ended = true;
    this.#due.clear();
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#next = Number.POSITIVE_INFINITY;
    for (const { at } of this.#due.values()) this.#next = Math.min(this.#next, at);
    if (this.#due.size === 0) return;
    const wait = Math.min(Math.max(this.#next - Date.now(), 0), MAX_WAIT_MS);
    const reached = wait < MAX_WAIT_MS ? this.#next : 0;
    this.#timer = apartFromRequests(() => setTimeout(() => this.#ring(reached), wait).unref());
  }

  /** @param reached What was due until then has been waited for, whatever the wall clock says. */
  #ring(reached = 0): void {
    const now = Math.max(Date.now(), reached);
    const due = [...this.#due].filter(([, { at }]) => at <= now);
    // First, so that what runs may be due again under its name.
    for (const [name] of due) this.#due.delete(name);
    this.#arm();
    for (const [name, { run }] of due) {
      try {
        apartFromRequests(run);
      } catch (err) {
        this.#log.warn({ err }, `What was due failed: ${name}`);
      }
    }
  }
}

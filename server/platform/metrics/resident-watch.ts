import { memoryLimit, memoryUsage } from '../lib/memory.ts';
import { collectGarbage } from './heap.ts';

/**
 * Of the container's limit. Above the first the system soon ends the process; below the second there is room again. Buffers,
 * sockets and stacks lie outside of V8's heap, which may be half empty meanwhile.
 */
const FULL_SHARE = 0.92;
const ROOMY_SHARE = 0.85;
/** Memory is read from a file of the system, which takes some 20 µs. In milliseconds. */
const LOOK_EVERY_MS = 250;
/** What looks full may be garbage. A collection stops everything for some tens of milliseconds, so it is rare. */
const COLLECT_EVERY_MS = 10_000;
/** One approach to the limit is one line of log, and one that swings is no more in this time. In milliseconds. */
const SAY_EVERY_MS = 60_000;

/** Resident memory against the container's limit, looked at when a request comes and at no other time. */
export class ResidentWatch {
  readonly #limit: number | null;
  readonly #resident: () => number;
  readonly #collect: () => void;
  #full = false;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #collectedAt = Number.NEGATIVE_INFINITY;
  #saidAt = Number.NEGATIVE_INFINITY;

  /** Told when little room is left, with bytes. */
  onNearlyFull: (resident: number, limit: number) => void = () => {};

  /** @param limit In bytes; null where there is none: then it is never full. */
  constructor(
    limit: number | null = memoryLimit(),
    resident: () => number = () => memoryUsage().rss,
    collect: () => void = collectGarbage,
  ) {
    this.#limit = limit;
    this.#resident = resident;
    this.#collect = collect;
  }

  /** @param now `performance.now()`. @returns Whether a request is to be refused. */
  full(now: number): boolean {
    const limit = this.#limit;
    if (limit === null || now - this.#lookedAt < LOOK_EVERY_MS) return this.#full;
    this.#lookedAt = now;
    let resident = this.#resident();
    if (resident >= limit * FULL_SHARE && now - this.#collectedAt >= COLLECT_EVERY_MS) {
      this.#collectedAt = now;
      this.#collect();
      resident = this.#resident();
    }
    this.#full = resident >= limit * (this.#full ? ROOMY_SHARE : FULL_SHARE);
    if (resident >= limit * ROOMY_SHARE && now - this.#saidAt >= SAY_EVERY_MS) {
      this.#saidAt = now;
      this.onNearlyFull(resident, limit);
    }
    return this.#full;
  }
}

import { memoryLimit, memoryUsage } from '../lib/memory.ts';
import { collectGarbage } from './heap.ts';

/**
 * Shares of the container's limit. Above the first the kernel soon kills the process; below the second there is room again.
 * Buffers, sockets and stacks lie outside of V8's heap, which may be half empty meanwhile.
 */
const FULL_SHARE = 0.92;
const ROOMY_SHARE = 0.85;
/** One reading takes about 20 µs: the system is asked this often. In milliseconds. */
const READ_EVERY_MS = 250;
/** Garbage may look like need. A collection stops everything for tens of milliseconds, so it is rare. In milliseconds. */
const COLLECT_EVERY_MS = 10_000;
/** In milliseconds. */
const REPORT_EVERY_MS = 60_000;

export interface ResidentWatchOptions {
  /** In bytes; null where there is none: then it is never full. */
  limit?: number | null;
  /** @returns Resident bytes now. */
  resident?: () => number;
  collect?: () => void;
  onNearlyFull?: (residentBytes: number, limitBytes: number) => void;
}

/** Compares resident memory with the container's limit, only when a request comes. */
export class ResidentWatch {
  readonly #options: Required<ResidentWatchOptions>;
  #full = false;
  #readAt = Number.NEGATIVE_INFINITY;
  #collectedAt = Number.NEGATIVE_INFINITY;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ResidentWatchOptions = {}) {
    this.#options = {
      limit: memoryLimit(),
      resident: () => memoryUsage().rss,
      collect: collectGarbage,
      onNearlyFull: () => {},
      ...options,
    };
  }

  /** @param now `performance.now()`. @returns Whether a request must be refused. */
  full(now: number): boolean {
    const { limit, resident, collect, onNearlyFull } = this.#options;
    if (limit === null || now - this.#readAt < READ_EVERY_MS) return this.#full;
    this.#readAt = now;
    let bytes = resident();
    if (bytes >= limit * FULL_SHARE && now - this.#collectedAt >= COLLECT_EVERY_MS) {
      this.#collectedAt = now;
      collect();
      bytes = resident();
    }
    this.#full = bytes >= limit * (this.#full ? ROOMY_SHARE : FULL_SHARE);
    if (bytes >= limit * ROOMY_SHARE && now - this.#reportedAt >= REPORT_EVERY_MS) {
      this.#reportedAt = now;
      onNearlyFull(bytes, limit);
    }
    return this.#full;
  }
}

import { constants, type NodeGCPerformanceDetail, PerformanceObserver, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { heapLimit } from '../lib/memory.ts';

/**
 * Shares of the heap's limit, after a collection. Full above the first, roomy again below the second. V8 ends a process
 * above 0.8 when four collections in a row free little and take most of the time (`CheckIneffectiveMarkCompact`, heap.cc).
 */
const FULL_SHARE = 0.8;
const ROOMY_SHARE = 0.7;
/** `onNearlyFull` is called above this share, once for each approach. */
const NEARLY_FULL_SHARE = 0.75;
/** A reading is valid for this long, in milliseconds: refusals leave little garbage, so the next collection may be far. */
const VALID_MS = 5_000;

/** Reads the heap after each full collection; between two, most of what is in use is garbage. */
export class HeapWatch {
  readonly #options: { limit: number; used: () => number; onNearlyFull: () => void };
  readonly #observer: PerformanceObserver;
  #full = false;
  #reported = false;
  #readAt = Number.NEGATIVE_INFINITY;

  /** @param onNearlyFull Called above three quarters. @param used Bytes in use now. @param limit In bytes. */
  constructor(
    onNearlyFull: () => void,
    used = () => getHeapStatistics().used_heap_size,
    limit = heapLimit(),
  ) {
    this.#options = { limit, used, onNearlyFull };
    this.#observer = new PerformanceObserver((list) => {
      const wasFull = list
        .getEntries()
        // Declared for the other kinds of entries alone.
        .some(
          (entry) =>
            (entry as unknown as { detail: NodeGCPerformanceDetail }).detail.kind ===
            constants.NODE_PERFORMANCE_GC_MAJOR,
        );
      if (wasFull) this.collected(performance.now());
    });
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  /** Takes a reading, after a full collection. @param now `performance.now()`. */
  collected(now: number): void {
    const { limit, used, onNearlyFull } = this.#options;
    const share = used() / limit;
    if (share >= NEARLY_FULL_SHARE && !this.#reported) onNearlyFull();
    this.#reported = share >= (this.#reported ? ROOMY_SHARE : NEARLY_FULL_SHARE);
    this.#full = share >= (this.full(now) ? ROOMY_SHARE : FULL_SHARE);
    this.#readAt = now;
  }

  /** @param now `performance.now()`. @returns Whether a request must be refused. */
  full(now: number): boolean {
    return this.#full && now - this.#readAt < VALID_MS;
  }

  stop(): void {
    this.#observer.disconnect();
  }
}

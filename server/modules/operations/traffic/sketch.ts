/**
 * A quantile sketch: a distribution of durations in bounded memory. Sketches of several steps can be merged; percentiles cannot,
 * because the average of two 99th percentiles is not a percentile.
 *
 * This is DDSketch (Masson, Rim, Lee: "DDSketch: A fast and fully-mergeable quantile sketch with relative-error guarantees",
 * PVLDB 12, 2019). The bounds of its counters grow by a constant factor, so the relative error is at most 1 %.
 */

/** Maximum relative error of a quantile. */
export const RELATIVE_ERROR = 0.01;
const FACTOR = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const PER_LN = 1 / Math.log(FACTOR);
/** Durations are clamped to this range: from 10 µs to an hour, in milliseconds. */
const MIN_MS = 0.01;
const MAX_MS = 3_600_000;
/** The exponent of the shortest duration, which counter 0 counts. */
const FIRST = Math.ceil(Math.log(MIN_MS) * PER_LN);
const LAST = Math.ceil(Math.log(MAX_MS) * PER_LN);
/** A sketch has at most this many counters: about a thousand, of four bytes each. */
export const MAX_COUNTERS: number = LAST - FIRST + 1;
/** Counters are allocated this many at a time. */
const GROWTH = 32;

const NONE = new Uint32Array(0);

export class Sketch {
  /** Number of durations. */
  count = 0;
  /** Counters from `#from` on. Usually a few dozen, because the durations of one route are similar. */
  #counters: Uint32Array = NONE;
  #from = 0;

  /** @param ms Milliseconds. */
  add(ms: number): void {
    // The comparison also sends NaN to the shortest.
    const exponent = ms > MIN_MS ? Math.ceil(Math.log(ms) * PER_LN) : FIRST;
    const index = Math.min(exponent, LAST) - FIRST;
    const at = index - this.#from;
    if (at < 0 || at >= this.#counters.length) this.#reach(index, index);
    (this.#counters[index - this.#from] as number)++;
    this.count++;
  }

  /** Adds the durations of another sketch. */
  merge(other: Sketch): void {
    if (other.count === 0) return;
    const { first, last } = other.#span();
    this.#reach(first, last);
    for (let index = first; index <= last; index++) {
      (this.#counters[index - this.#from] as number) += other.#counters[index - other.#from] as number;
    }
    this.count += other.count;
  }

  /**
   * @param share 0.5 is the median.
   * @returns Milliseconds, with an error of at most 1 %; null if the sketch is empty.
   */
  quantile(share: number): number | null {
    if (this.count === 0) return null;
    const rank = share * (this.count - 1);
    let seen = 0;
    for (let at = 0; at < this.#counters.length; at++) {
      seen += this.#counters[at] as number;
      if (seen > rank) return middleOf(at + this.#from);
    }
    return middleOf(this.#from + this.#counters.length - 1);
  }

  /** Calls `visit` for each non-empty counter, shortest first. @param visit Receives the middle of the counter's range. */
  each(visit: (ms: number, count: number) => void): void {
    for (const [at, count] of this.#counters.entries())
      if (count > 0) visit(middleOf(at + this.#from), count);
  }

  /** Sets all counters to 0 and keeps their memory. */
  clear(): void {
    this.#counters.fill(0);
    this.count = 0;
  }

  /** A copy in the smallest memory, for a step that is complete. */
  sealed(): Sketch {
    const copy = new Sketch();
    if (this.count === 0) return copy;
    const { first, last } = this.#span();
    copy.#counters = this.#counters.slice(first - this.#from, last - this.#from + 1);
    copy.#from = first;
    copy.count = this.count;
    return copy;
  }

  /** The first and the last non-empty counter. */
  #span(): { first: number; last: number } {
    const counters = this.#counters;
    let first = 0;
    while (first < counters.length - 1 && counters[first] === 0) first++;
    let last = counters.length - 1;
    while (last > first && counters[last] === 0) last--;
    return { first: first + this.#from, last: last + this.#from };
  }

  /** Allocates the counters from `first` to `last`. */
  #reach(first: number, last: number): void {
    const empty = this.#counters.length === 0;
    const end = this.#from + this.#counters.length;
    if (!empty && first >= this.#from && last < end) return;
    const from = Math.max(0, Math.min(empty ? first : this.#from, first - GROWTH / 2));
    const to = Math.min(MAX_COUNTERS, Math.max(end, last + 1 + GROWTH / 2));
    const wider = new Uint32Array(to - from);
    if (!empty) wider.set(this.#counters, this.#from - from);
    this.#counters = wider;
    this.#from = from;
  }
}

/** The duration whose relative distance to both bounds of a counter is equal. */
const middleOf = (index: number) => (2 * FACTOR ** (index + FIRST)) / (FACTOR + 1);

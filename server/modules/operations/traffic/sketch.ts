/**
 * A quantile sketch: how durations are distributed, in bounded memory, so that sketches of several steps of time can be
 * added up and asked together. (Percentiles cannot: the average of two 99th percentiles is no percentile of anything.)
 *
 * It is DDSketch (Masson, Rim, Lee: "DDSketch: A fast and fully-mergeable quantile sketch with relative-error
 * guarantees", PVLDB 12, 2019): counters of durations whose bounds grow by a constant factor, so that whatever is
 * answered is at most 1 % off.
 */

/** Of a quantile that is answered. */
export const RELATIVE_ERROR = 0.01;
const FACTOR = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const PER_LN = 1 / Math.log(FACTOR);
/** What is shorter counts as this, what is longer as that: 10 µs and an hour, in milliseconds. */
const MIN_MS = 0.01;
const MAX_MS = 3_600_000;
/** The exponent of the shortest, so that counters begin at 0. */
const FIRST = Math.ceil(Math.log(MIN_MS) * PER_LN);
const LAST = Math.ceil(Math.log(MAX_MS) * PER_LN);
/** No sketch has more counters than this: about a thousand, of four bytes. */
export const MAX_COUNTERS: number = LAST - FIRST + 1;
/** Counters are added this many at a time. */
const GROWTH = 32;

const NONE = new Uint32Array(0);

export class Sketch {
  /** How many durations it holds. */
  count = 0;
  /** Counters from `#from` on: mostly a few dozen, because durations of one kind lie close together. */
  #counters: Uint32Array = NONE;
  #from = 0;

  /** @param ms Milliseconds. */
  add(ms: number): void {
    // Written so that NaN is the shortest as well.
    const exponent = ms > MIN_MS ? Math.ceil(Math.log(ms) * PER_LN) : FIRST;
    const index = Math.min(exponent, LAST) - FIRST;
    const at = index - this.#from;
    if (at < 0 || at >= this.#counters.length) this.#reach(index, index);
    (this.#counters[index - this.#from] as number)++;
    this.count++;
  }

  /** Adds everything that another one holds. */
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
   * @returns Milliseconds, at most 1 % off; null where it holds nothing.
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

  /** Calls `visit` for each counter that is not empty, shortest first, with the middle of what it counts. */
  each(visit: (ms: number, count: number) => void): void {
    for (const [at, count] of this.#counters.entries())
      if (count > 0) visit(middleOf(at + this.#from), count);
  }

  /** Forgets everything, but not how much room it took. */
  clear(): void {
    this.#counters.fill(0);
    this.count = 0;
  }

  /** A copy that takes no more room than it needs: of a step of time that is over. */
  sealed(): Sketch {
    const copy = new Sketch();
    if (this.count === 0) return copy;
    const { first, last } = this.#span();
    copy.#counters = this.#counters.slice(first - this.#from, last - this.#from + 1);
    copy.#from = first;
    copy.count = this.count;
    return copy;
  }

  /** The first and the last counter that is not empty. */
  #span(): { first: number; last: number } {
    const counters = this.#counters;
    let first = 0;
    while (first < counters.length - 1 && counters[first] === 0) first++;
    let last = counters.length - 1;
    while (last > first && counters[last] === 0) last--;
    return { first: first + this.#from, last: last + this.#from };
  }

  /** Makes room for these counters. */
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

/** What lies as far from the lower bound of a counter as from the upper one, in proportion. */
const middleOf = (index: number) => (2 * FACTOR ** (index + FIRST)) / (FACTOR + 1);

const SEGMENT_MS = 5 * 60_000;
const HOUR_MS = 60 * 60_000;

/**
 * The slowest items of the last hour.
 *
 * Each five minutes have their own list, so that the list of the hour stays complete when older items expire. For all other
 * items the cost is one comparison.
 */
export class Slowest<Item extends { at: number; ms: number }> {
  /** Only slower items are added. In milliseconds. */
  bar = 0;
  readonly #max: number;
  #segments: { since: number; items: Item[] }[] = [];

  /** @param max How many items are listed. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Begins the next five minutes when they are due. Call it regularly. @param now Milliseconds since 1970. */
  roll(now: number): void {
    const age = now - (this.#segments.at(-1)?.since ?? Number.NEGATIVE_INFINITY);
    // A clock that was set back also starts a new segment.
    if (age >= 0 && age < SEGMENT_MS) return;
    this.#segments = this.#segments.filter(({ since }) => Math.abs(now - since) < HOUR_MS + SEGMENT_MS);
    this.#segments.push({ since: now, items: [] });
    this.bar = 0;
  }

  /** Adds an item if it is slower than `bar`. */
  add(item: Item): void {
    if (item.ms <= this.bar) return;
    if (this.#segments.length === 0) this.roll(item.at);
    const items = this.#segments.at(-1)?.items ?? [];
    const after = items.findIndex(({ ms }) => ms < item.ms);
    items.splice(after === -1 ? items.length : after, 0, item);
    if (items.length <= this.#max) return;
    items.pop();
    this.bar = items.at(-1)?.ms ?? 0;
  }

  /** Slowest first. @param now Milliseconds since 1970. @param wanted Filters the items. */
  list(now: number, wanted: (item: Item) => boolean = () => true): Item[] {
    return this.#segments
      .flatMap(({ items }) => items)
      .filter((item) => now - item.at < HOUR_MS && wanted(item))
      .sort((a, b) => b.ms - a.ms)
      .slice(0, this.#max);
  }
}

const SEGMENT_MS = 5 * 60_000;
const HOUR_MS = 60 * 60_000;

/**
 * The slowest of the last hour, whatever they are.
 *
 * Each five minutes keep their own slowest, so that the hour's are known although the slowest of all grow old. What is
 * not among the slowest costs one comparison.
 */
export class Slowest<Item extends { at: number; ms: number }> {
  /** What is not slower than this is not among them. In milliseconds. */
  bar = 0;
  readonly #most: number;
  #segments: { since: number; items: Item[] }[] = [];

  /** @param most How many are kept. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Begins the next five minutes, if they have come. To be called now and then. @param now Milliseconds since 1970. */
  roll(now: number): void {
    const age = now - (this.#segments.at(-1)?.since ?? Number.NEGATIVE_INFINITY);
    // A clock that was set back begins anew as well.
    if (age >= 0 && age < SEGMENT_MS) return;
    this.#segments = this.#segments.filter(({ since }) => Math.abs(now - since) < HOUR_MS + SEGMENT_MS);
    this.#segments.push({ since: now, items: [] });
    this.bar = 0;
  }

  /** Keeps it, if it is slower than `bar`. */
  add(item: Item): void {
    if (item.ms <= this.bar) return;
    if (this.#segments.length === 0) this.roll(item.at);
    const items = this.#segments.at(-1)?.items ?? [];
    const after = items.findIndex(({ ms }) => ms < item.ms);
    items.splice(after === -1 ? items.length : after, 0, item);
    if (items.length <= this.#most) return;
    items.pop();
    this.bar = items.at(-1)?.ms ?? 0;
  }

  /** Slowest first. @param now Milliseconds since 1970. @param wanted Which of them; all, where nothing is said. */
  list(now: number, wanted: (item: Item) => boolean = () => true): Item[] {
    return this.#segments
      .flatMap(({ items }) => items)
      .filter((item) => now - item.at < HOUR_MS && wanted(item))
      .sort((a, b) => b.ms - a.ms)
      .slice(0, this.#most);
  }
}

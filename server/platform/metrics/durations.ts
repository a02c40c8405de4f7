/** How many took how long, and how long altogether: what a Prometheus histogram is made of. */
export class Durations {
  /** Upper bounds, in seconds. */
  readonly bounds: readonly number[];
  /** How many within each bound and beyond the one before; the last counts those beyond all. */
  readonly counts: Float64Array;
  sumMs = 0;
  readonly #boundsMs: number[];

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
    this.#boundsMs = bounds.map((seconds) => seconds * 1_000);
  }

  add(ms: number): void {
    const bounds = this.#boundsMs;
    let place = 0;
    while (place < bounds.length && ms > (bounds[place] as number)) place++;
    (this.counts[place] as number)++;
    this.sumMs += ms;
  }

  get count(): number {
    return this.counts.reduce((sum, one) => sum + one, 0);
  }
}

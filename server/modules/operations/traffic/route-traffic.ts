import type { Route } from '../../../platform/metrics/routes.ts';
import { Tally } from './tally.ts';

const MINUTES = 60;
const MINUTE_MS = 60_000;

/** One method of one route over the last hour, by the minute. */
export class RouteTraffic {
  readonly route: Route;
  /** Since the last time that somebody folded it into its minute. */
  readonly fresh = new Tally();
  /** By minute modulo sixty; the number of the minute tells whether it is still one of the last hour's. */
  readonly #minutes: { minute: number; tally: Tally }[] = [];

  constructor(route: Route) {
    this.route = route;
  }

  /** Counts one request. @param ms Milliseconds. @param timed Whether its duration says anything: a stream lasts as long as somebody looks. */
  add(status: number, ms: number, timed: boolean): void {
    const { fresh } = this;
    fresh.requests++;
    if (status >= 500 && !(this.route.probe && status === 503)) fresh.errors++;
    else if (status >= 400 && status < 500) fresh.clientErrors++;
    if (!timed) return;
    if (ms > fresh.maxMs) fresh.maxMs = ms;
    fresh.sketch.add(ms);
  }

  /** Takes what is fresh into the minute. @param minute Minutes since 1970. */
  fold(minute: number): void {
    const place = minute % MINUTES;
    let slot = this.#minutes[place];
    if (slot?.minute !== minute) {
      const before = this.#minutes[(place + MINUTES - 1) % MINUTES];
      if (before) before.tally.sketch = before.tally.sketch.sealed();
      slot = { minute, tally: new Tally() };
      this.#minutes[place] = slot;
    }
    slot.tally.merge(this.fresh);
    this.fresh.clear();
  }

  /** The minutes from `first` on that had requests. */
  *since(first: number): Generator<{ minute: number; tally: Tally }> {
    for (const slot of this.#minutes) if (slot !== undefined && slot.minute >= first) yield slot;
  }
}

/** The minute that a time lies in. @param at Milliseconds since 1970. */
export const minuteOf = (at: number): number => Math.floor(at / MINUTE_MS);

import type { Route } from '../../../platform/metrics/routes.ts';
import { Tally } from './tally.ts';

const MINUTES = 60;
const MINUTE_MS = 60_000;

/** The traffic of one route and method in the last hour, by minute. */
export class RouteTraffic {
  readonly route: Route;
  /** Not yet folded into a minute. */
  readonly fresh = new Tally();
  /** By minute modulo sixty. `minute` tells whether an entry is from the last hour. */
  readonly #minutes: { minute: number; tally: Tally }[] = [];

  constructor(route: Route) {
    this.route = route;
  }

  /**
   * Counts one request.
   *
   * @param ms Milliseconds. @param timed False for a stream, whose duration means nothing. @returns Whether it is a server error.
   */
  add(status: number, ms: number, timed: boolean): boolean {
    const { fresh } = this;
    const failed = status >= 500 && !(this.route.probe && status === 503);
    fresh.requests++;
    if (failed) fresh.errors++;
    else if (status >= 400 && status < 500) fresh.clientErrors++;
    if (timed) {
      if (ms > fresh.maxMs) fresh.maxMs = ms;
      fresh.sketch.add(ms);
    }
    return failed;
  }

  /** Adds `fresh` to a minute. @param minute Minutes since 1970. */
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
  since(first: number): { minute: number; tally: Tally }[] {
    // The ring may have holes, which `filter` skips.
    return this.#minutes.filter(({ minute }) => minute >= first);
  }
}

/** The minute that contains a time. @param at Milliseconds since 1970. */
export const minuteOf = (at: number): number => Math.floor(at / MINUTE_MS);

import { Durations } from './durations.ts';
import { Sketch } from './sketch.ts';

/** Upper bounds in seconds: those that OpenTelemetry gives for `http.server.request.duration`. */
export const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Methods with a label of their own; all others share one. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const OTHER = 'other';
/** The label of whatever matches no route. */
export const UNKNOWN_ROUTE = 'unknown';
/**
 * So many combinations of method, route and status have series of their own; 17 each, so that the histogram has 2,600 at
 * the most. What comes later is counted under its class (`4xx`) and route `other`.
 */
const MOST_SERIES = 150;
const MINUTES = 60;
const MINUTE_MS = 60_000;

/** All requests of one method, route and status since the process began: what a scraper reads. */
export interface Series {
  labels: { method: string; route: string; status: string };
  durations: Durations;
}

/** What happened in one step of time. */
export class Tally {
  requests = 0;
  clientErrors = 0;
  errors = 0;
  maxMs = 0;
  sketch = new Sketch();

  merge(other: Tally): void {
    this.requests += other.requests;
    this.clientErrors += other.clientErrors;
    this.errors += other.errors;
    if (other.maxMs > this.maxMs) this.maxMs = other.maxMs;
    this.sketch.merge(other.sketch);
  }

  clear(): void {
    this.requests = this.clientErrors = this.errors = this.maxMs = 0;
    this.sketch.clear();
  }
}

/** Sizes of the bodies that say how long they are, in bytes. */
export interface Sizes {
  count: number;
  bytes: number;
}

/** One method of one route: takes its observations, and keeps the last hour of them by the minute. */
export class Route {
  readonly method: string;
  readonly route: string;
  /** Whether its 503 is an answer as good as any other: that of a probe tells the truth, and is no error. */
  probe = false;
  /** Since the last time that somebody folded it into its minute. */
  readonly fresh = new Tally();
  readonly received: Sizes = { count: 0, bytes: 0 };
  readonly sent: Sizes = { count: 0, bytes: 0 };
  /** By status. */
  readonly series: (Series | undefined)[] = [];
  /** By minute modulo sixty; the number of the minute tells whether it is still one of the last hour's. */
  readonly #minutes: { minute: number; tally: Tally }[] = [];

  constructor(method: string, route: string) {
    this.method = method;
    this.route = route;
  }

  /** Counts one request. @param ms Milliseconds. @param hurried Whether its duration says anything: a stream lasts as long as somebody looks. */
  add(series: Series, status: number, ms: number, hurried: boolean): void {
    series.durations.add(ms);
    const { fresh } = this;
    fresh.requests++;
    if (status >= 500 && !(this.probe && status === 503)) fresh.errors++;
    else if (status >= 400 && status < 500) fresh.clientErrors++;
    if (!hurried) return;
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

/** Every route that has been asked for. */
export class Routes {
  readonly #byKey = new Map<string, Route>();
  readonly #series = new Map<string, Series>();

  /**
   * @param method As it was sent.
   * @param route As it was registered, or `UNKNOWN_ROUTE`: never an address that somebody sent.
   */
  of(method: string, route: string): Route {
    const label = METHODS.has(method) ? method : OTHER;
    const key = `${label} ${route}`;
    let found = this.#byKey.get(key);
    if (found === undefined) {
      found = new Route(label, route);
      this.#byKey.set(key, found);
    }
    return found;
  }

  /** The series of a route's status, which begins with its first request. */
  seriesOf(route: Route, status: number): Series {
    const known = route.series[status];
    if (known) return known;
    const full = this.#series.size >= MOST_SERIES;
    const labels = full
      ? { method: OTHER, route: OTHER, status: `${Math.floor(status / 100)}xx` }
      : { method: route.method, route: route.route, status: String(status) };
    const key = Object.values(labels).join(' ');
    const series = this.#series.get(key) ?? { labels, durations: new Durations(DURATION_BUCKETS) };
    this.#series.set(key, series);
    route.series[status] = series;
    return series;
  }

  find(name: string): Route | undefined {
    return this.#byKey.get(name);
  }

  all(): MapIterator<Route> {
    return this.#byKey.values();
  }

  series(): MapIterator<Series> {
    return this.#series.values();
  }
}

/** The minute that a time lies in. @param at Milliseconds since 1970. */
export const minuteOf = (at: number): number => Math.floor(at / MINUTE_MS);

import { Durations } from './durations.ts';

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
const MAX_SERIES = 150;

/** All requests of one method, route and status since the process began: what a scraper reads. */
export interface Series {
  labels: { method: string; route: string; status: string };
  durations: Durations;
}

/** Sizes of the bodies that say how long they are, in bytes. */
export interface Sizes {
  count: number;
  bytes: number;
}

/** One method of one route, and what was counted of it. */
export class Route {
  /** Counts from 0 on: the place of what others keep of it, in a list of theirs. */
  readonly id: number;
  readonly method: string;
  readonly route: string;
  /** Whether its 503 is an answer as good as any other: that of a probe tells the truth, and is no error. */
  probe = false;
  readonly received: Sizes = { count: 0, bytes: 0 };
  readonly sent: Sizes = { count: 0, bytes: 0 };
  /** By status. */
  readonly series: (Series | undefined)[] = [];

  constructor(id: number, method: string, route: string) {
    this.id = id;
    this.method = method;
    this.route = route;
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
      found = new Route(this.#byKey.size, label, route);
      this.#byKey.set(key, found);
    }
    return found;
  }

  /** The series of a route's status, which begins with its first request. */
  seriesOf(route: Route, status: number): Series {
    const known = route.series[status];
    if (known) return known;
    const full = this.#series.size >= MAX_SERIES;
    const labels = full
      ? { method: OTHER, route: OTHER, status: `${Math.floor(status / 100)}xx` }
      : { method: route.method, route: route.route, status: String(status) };
    const key = Object.values(labels).join(' ');
    const series = this.#series.get(key) ?? { labels, durations: new Durations(DURATION_BUCKETS) };
    this.#series.set(key, series);
    route.series[status] = series;
    return series;
  }

  /** @param name As `GET /api/notes/:id`. */
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

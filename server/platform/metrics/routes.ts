import type { Labels } from './metrics.ts';

/** Methods with a label of their own; all others share one. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const OTHER = 'other';
/** The label of requests that match no route. */
export const UNKNOWN_ROUTE = 'unknown';
/**
 * So many combinations of method, route and status have series of their own: 17 each, 2,600 for the histogram. The rest is
 * counted by class (`4xx`) under route `other`.
 */
const MAX_COMBINATIONS = 150;

/** Sizes of the bodies whose length is known, in bytes. */
export interface Sizes {
  count: number;
  sum: number;
}

/** One method of one route, and what was counted of it. */
export class Route {
  /** Counts from 0: an index for lists that others keep by route. */
  readonly id: number;
  readonly method: string;
  readonly route: string;
  /** Whether its 503 is a regular answer: that of a probe tells the truth, and is no error. */
  probe = false;
  readonly received: Sizes = { count: 0, sum: 0 };
  readonly sent: Sizes = { count: 0, sum: 0 };
  /** By status. */
  readonly labels: (Labels | undefined)[] = [];

  constructor(id: number, method: string, route: string) {
    this.id = id;
    this.method = method;
    this.route = route;
  }
}

/** Every route that was registered or requested. */
export class Routes {
  readonly #byName = new Map<string, Route>();
  #combinations = 0;

  /**
   * @param method As it was sent.
   * @param route As it was registered, or `UNKNOWN_ROUTE`: never an address that a client sent.
   */
  of(method: string, route: string): Route {
    const label = METHODS.has(method) ? method : OTHER;
    const name = `${label} ${route}`;
    let found = this.#byName.get(name);
    if (found === undefined) {
      found = new Route(this.#byName.size, label, route);
      this.#byName.set(name, found);
    }
    return found;
  }

  /** The labels of a route's answers with a status. */
  labelsOf(route: Route, status: number): Labels {
    const { method, route: name, labels } = route;
    labels[status] ??=
      this.#combinations++ < MAX_COMBINATIONS
        ? { method, route: name, status: String(status) }
        : { method: OTHER, route: OTHER, status: `${Math.floor(status / 100)}xx` };
    return labels[status];
  }

  /** @param name As `GET /api/notes/:id`. */
  find(name: string): Route | undefined {
    return this.#byName.get(name);
  }

  all(): MapIterator<Route> {
    return this.#byName.values();
  }
}

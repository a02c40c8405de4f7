import { Collections } from './collections.ts';
import { Queries } from './queries.ts';
import { type Route, Routes } from './routes.ts';

/** What an observer may want to know of a request besides its figures. */
export interface ObservedRequest {
  readonly id: string;
  /** With its query. */
  readonly url: string;
}

/** Is told of each observation as it is counted, on the path of the request: it has to be quick, and must not throw. */
export interface Observer {
  /**
   * @param ms From its arrival until its answer was handed to the system, in milliseconds.
   * @param timed Whether its duration says anything about others: that of a stream does not.
   * @param request Absent where nothing more is known, as of what was answered before it was a request.
   */
  request(
    route: Route,
    status: number,
    ms: number,
    timed: boolean,
    request: ObservedRequest | undefined,
  ): void;
  /** @param text As it was sent. @param ms Until it was answered or failed. */
  query(text: string, ms: number, failed: boolean): void;
  /** @param ms Until a connection of the pool was lent or refused. */
  acquire(ms: number): void;
}

/** What is counted since the process began, for scrapers: one observation for each request, statement and wait. */
export class Observations {
  /** False where ENABLE_METRICS says so: then nothing is counted. */
  readonly enabled: boolean;
  readonly routes = new Routes();
  readonly queries = new Queries();
  readonly collections = new Collections();
  /** One at most: more of them would cost each request a loop. */
  observer: Observer | undefined;

  /** @param enabled Whether anything will be counted. */
  constructor(enabled = true) {
    this.enabled = enabled;
    if (enabled) this.collections.begin();
  }

  /** Counts one request. Parameters: `Observer.request`. */
  request(route: Route, status: number, ms: number, timed = true, request?: ObservedRequest): void {
    const series = route.series[status] ?? this.routes.seriesOf(route, status);
    series.durations.add(ms);
    this.observer?.request(route, status, ms, timed, request);
  }

  /** Counts one statement. Parameters: `Observer.query`. */
  query(text: string, ms: number, failed: boolean): void {
    this.queries.add(text, ms, failed);
    this.observer?.query(text, ms, failed);
  }

  /** Counts one wait for a connection of the pool. Parameters: `Observer.acquire`. */
  acquire(ms: number): void {
    this.queries.acquires.add(ms);
    this.observer?.acquire(ms);
  }

  /** Ends what runs. */
  close(): void {
    this.observer = undefined;
    this.collections.end();
  }
}

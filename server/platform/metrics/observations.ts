import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';
import { type Route, Routes } from './routes.ts';

/** Upper bounds in seconds: those that OpenTelemetry gives for `http.server.request.duration`. */
const REQUEST_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Those of `db.client.operation.duration`. */
const QUERY_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
/** Those of `v8js.gc.duration`. */
const GC_BUCKETS = [0.01, 0.1, 1, 10];
/** As `perf_hooks.constants.NODE_PERFORMANCE_GC_…` numbers them. */
const GC_KINDS: Record<number, string> = { 1: 'minor', 4: 'major', 8: 'incremental', 16: 'weakcb' };

/** The request behind an observation. */
export interface ObservedRequest {
  readonly id: string;
  /** With its query. */
  readonly url: string;
  readonly failure?: Failure | undefined;
}

/** Why a request was answered with 500 or more. */
export interface Failure {
  /** The name of the error, such as `DatabaseUnavailableError`. */
  readonly type: string;
  /** For operators. */
  readonly message: string;
  /** Whether a log line of level `error` has it, too. */
  readonly logged: boolean;
}

/** Receives each observation as it is counted, on the path of the request: it has to be quick, and must not throw. */
export interface Observer {
  /**
   * @param ms From its arrival until its answer was handed to the system, in milliseconds.
   * @param timed Whether its duration belongs into percentiles: that of a stream does not.
   * @param request Absent where no request was parsed.
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

/** What is counted since the process began: one observation for each request, statement and wait. */
export class Observations {
  readonly routes = new Routes();
  /** Requests since the process began. */
  requests = 0;
  /** Garbage collections since the process began, in milliseconds. */
  readonly collections = { totalMs: 0 };
  /** One at most: several would cost each request a loop. */
  observer: Observer | undefined;
  readonly #histograms: ReturnType<typeof histogramsOf> | undefined;
  readonly #collector = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { duration, detail } = entry as PerformanceEntry & { detail: { kind: number } };
      this.collections.totalMs += duration;
      this.#histograms?.collections.observe({ kind: GC_KINDS[detail.kind] ?? 'minor' }, duration / 1_000);
    }
  });

  /** @param metrics Where durations are scraped; absent where ENABLE_METRICS is false: then nothing is counted. */
  constructor(metrics?: Metrics) {
    if (metrics === undefined) return;
    this.#histograms = histogramsOf(metrics);
    for (const kind of Object.values(GC_KINDS)) this.#histograms.collections.zero({ kind });
    // V8 reports collections as they happen: no timer looks for them.
    this.#collector.observe({ entryTypes: ['gc'] });
  }

  get enabled(): boolean {
    return this.#histograms !== undefined;
  }

  /** Counts one request. Parameters: `Observer.request`. */
  request(route: Route, status: number, ms: number, timed = true, request?: ObservedRequest): void {
    this.requests++;
    this.#histograms?.requests.observe(this.routes.labelsOf(route, status), ms / 1_000);
    this.observer?.request(route, status, ms, timed, request);
  }

  /** Counts one statement. Parameters: `Observer.query`. */
  query(text: string, ms: number, failed: boolean): void {
    const labels = { operation: operationOf(text), outcome: failed ? 'error' : 'ok' };
    this.#histograms?.queries.observe(labels, ms / 1_000);
    this.observer?.query(text, ms, failed);
  }

  /** Counts one wait for a connection of the pool. Parameters: `Observer.acquire`. */
  acquire(ms: number): void {
    this.#histograms?.acquires.observe(ms / 1_000);
    this.observer?.acquire(ms);
  }

  close(): void {
    this.observer = undefined;
    this.#collector.disconnect();
  }
}

/** @returns select, insert, update, delete or other. */
export function operationOf(text: string): string {
  return /^\s*(select|insert|update|delete)\b/i.exec(text)?.[1]?.toLowerCase() ?? 'other';
}

function histogramsOf(metrics: Metrics) {
  return {
    requests: metrics.histogram(
      'http_server_request_duration_seconds',
      "From a request's arrival until its answer was handed to the system. Status 499: the client left before.",
      REQUEST_BUCKETS,
      ['method', 'route', 'status'],
    ),
    queries: metrics.histogram(
      'db_client_operation_duration_seconds',
      'Statements, until they were answered or failed.',
      QUERY_BUCKETS,
      ['operation', 'outcome'],
    ),
    acquires: metrics.histogram(
      'db_client_connection_wait_time_seconds',
      'Waiting for a connection of the pool.',
      QUERY_BUCKETS,
    ),
    collections: metrics.histogram('nodejs_gc_duration_seconds', 'Garbage collections.', GC_BUCKETS, [
      'kind',
    ]),
  };
}

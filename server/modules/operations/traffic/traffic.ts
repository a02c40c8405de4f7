import type { ProcessFigures } from '#contracts/operations/process.ts';
import type { TrafficHistory, TrafficReport, TrafficWindow } from '#contracts/operations/traffic.ts';
import { memoryUsage } from '../../../platform/lib/memory.ts';
import { pathOf } from '../../../platform/lib/problem.ts';
import {
  type Observations,
  type ObservedRequest,
  type Observer,
  operationOf,
} from '../../../platform/metrics/observations.ts';
import type { Route } from '../../../platform/metrics/routes.ts';
import { CORES, HEAP_LIMIT, MEMORY_LIMIT, type ProcessSample, ProcessSamples } from './process-samples.ts';
import { minuteOf, RouteTraffic } from './route-traffic.ts';
import { Sketch } from './sketch.ts';
import { Slowest } from './slowest.ts';
import { withoutValues } from './statements.ts';
import { firstFrom, STEP_MS, Steps } from './steps.ts';
import { Tally } from './tally.ts';
import {
  historyOf,
  percentilesOf,
  type Recorded,
  reportOf,
  round,
  rounded,
  WINDOW_MS,
} from './traffic-views.ts';

/** Interval of the ticks while requests come or a screen is open, in milliseconds. */
const TICK_MS = 2_000;
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const MAX_SLOW = 20;
/** On its table, or with its comment. */
const OWN_STATEMENT = /"silences"|\/\* operations \*\//;
const IDLE: ProcessSample = { eventLoopUtilization: 0, eventLoopDelayMs: 0, cpu: 0, gcMsPerSecond: 0 };

/** Figures that other components count. */
export interface TrafficSources {
  instance: string;
  /** Open connections, and those with a request in flight. */
  connections(): { open: number; working: number };
  pool(): { max: number; total: number; idle: number; waiting: number };
  /** Since the start. */
  refused(): { rateLimited: number; shed: number };
  /** Called with each answer of 500 or more, except for probes. */
  onServerError?(route: Route, status: number, request: ObservedRequest | undefined): void;
}

/** Requests in a window, to the step. The alerts are judged by them. */
export interface WindowTotals extends Pick<ProcessFigures, 'p50Ms' | 'p90Ms' | 'p95Ms' | 'p99Ms'> {
  /** The part of the window in which this process ran. */
  seconds: number;
  requests: number;
  /** Responses with status 500 or more. */
  errors: number;
}

/**
 * Requests, queries and resources of this process in the last hour.
 *
 * The platform reports each observation; figures are computed on demand. The process is sampled while requests come or a
 * screen is open. No timer runs otherwise.
 */
export class Traffic implements Observer {
  readonly samples: ProcessSamples;
  readonly #observations: Observations;
  readonly #sources: TrafficSources;
  readonly #recorded: Recorded;
  /** Routes with requests that are not folded yet. */
  readonly #active: RouteTraffic[] = [];
  /** Refusals that are counted in a step. */
  #refused = 0;
  readonly #listeners = new Set<(at: number) => void>();
  readonly #onServerError: NonNullable<TrafficSources['onServerError']>;
  #watchers = 0;
  /** Something happened since the last tick. */
  #busy = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #lastTick = 0;

  /** @param observations This object becomes their observer. */
  constructor(observations: Observations, sources: TrafficSources) {
    const startedAt = Date.now();
    this.samples = new ProcessSamples(observations.collections);
    this.#observations = observations;
    this.#sources = sources;
    this.#onServerError = sources.onServerError ?? (() => {});
    this.#recorded = {
      instance: sources.instance,
      startedAt,
      steps: new Steps(startedAt),
      routes: [],
      slowRequests: new Slowest(MAX_SLOW),
      slowQueries: new Slowest(MAX_SLOW),
    };
    observations.observer = this;
  }

  /** False with `ENABLE_METRICS=false`: nothing is counted, and only the process is sampled. */
  get enabled(): boolean {
    return this.#observations.enabled;
  }

  /** Counts one request. Parameters: `Observer.request`. */
  request(
    route: Route,
    status: number,
    ms: number,
    timed: boolean,
    request: ObservedRequest | undefined,
  ): void {
    if (!this.#busy) this.#wake();
    const { routes, slowRequests } = this.#recorded;
    const own = routes[route.id] ?? this.#begin(route);
    if (own.fresh.requests === 0) this.#active.push(own);
    if (own.add(status, ms, timed)) this.#onServerError(route, status, request);
    if (ms > slowRequests.bar && timed && request !== undefined) {
      const { method, route: name } = route;
      const known = { requestId: request.id, method, route: name, path: pathOf(request.url), status };
      slowRequests.add({ at: Date.now(), ms, ...known });
    }
  }

  /** Counts one statement, except those of operations: looking would change what is shown. Parameters: `Observer.query`. */
  query(text: string, ms: number, failed: boolean): void {
    if (OWN_STATEMENT.test(text)) return;
    if (!this.#busy) this.#wake();
    const { steps, slowQueries } = this.#recorded;
    steps.current.queries.add(ms);
    if (ms <= slowQueries.bar) return;
    const known = { statement: withoutValues(text), operation: operationOf(text), failed };
    slowQueries.add({ at: Date.now(), ms, ...known });
  }

  acquire(ms: number): void {
    if (!this.#busy) this.#wake();
    this.#recorded.steps.current.acquires.add(ms);
  }

  #begin(route: Route): RouteTraffic {
    const { routes } = this.#recorded;
    const own = new RouteTraffic(route);
    // An array with holes would be slow in V8.
    while (routes.length <= route.id) routes.push(undefined);
    routes[route.id] = own;
    return own;
  }

  /** Samples the process although no request comes, because a screen is open. @returns A function that ends it. */
  watch(): () => void {
    this.#watchers++;
    this.#wake();
    let watching = true;
    return () => {
      if (watching) this.#watchers--;
      watching = false;
    };
  }

  /**
   * @param listener Called every 2 s while requests come or a screen is open, with the time in milliseconds since 1970.
   * @returns A function that ends the subscription.
   */
  onTick(listener: (at: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Rates and percentiles of the last minute, and everything else as it is now. */
  figures(): ProcessFigures {
    const now = Date.now();
    const { seconds, requests, errors, ...latency } = this.totals('1m', now);
    const acquires = new Sketch();
    const queries = new Sketch();
    for (const step of this.#recorded.steps.since(now - MINUTE_MS)) {
      acquires.merge(step.acquires);
      queries.merge(step.queries);
    }
    const { open, working } = this.#sources.connections();
    const { max, total, idle, waiting } = this.#sources.pool();
    const { rss, heapUsed, external } = memoryUsage();
    const { eventLoopUtilization, eventLoopDelayMs, cpu, gcMsPerSecond } = this.samples.latest ?? IDLE;
    return {
      at: new Date(now).toISOString(),
      requestsPerSecond: round(requests / seconds),
      errorRatio: requests === 0 ? 0 : errors / requests,
      ...latency,
      inFlight: working,
      connections: open,
      eventLoop: { utilization: eventLoopUtilization, delayP99Ms: round(eventLoopDelayMs) },
      cpu: round(cpu),
      cores: CORES,
      memory: { rss, heapUsed, heapLimit: HEAP_LIMIT, external, limit: MEMORY_LIMIT },
      gcMsPerSecond: round(gcMsPerSecond),
      pool: { size: max, open: total, idle, waiting, acquireP95Ms: rounded(acquires.quantile(0.95)) },
      queryP95Ms: rounded(queries.quantile(0.95)),
      refused: this.#sources.refused(),
    };
  }

  /** Requests in a window that ends now. Its beginning is exact to 5 s. */
  totals(window: TrafficWindow, now: number = Date.now()): WindowTotals {
    this.#fold(now);
    const { steps, startedAt } = this.#recorded;
    const from = now - WINDOW_MS[window];
    const sum = new Tally();
    for (const step of steps.since(from)) sum.merge(step.requests);
    const began = Math.max(startedAt, firstFrom(from) * STEP_MS);
    const { requests, errors, sketch } = sum;
    return { seconds: Math.max(1, (now - began) / 1_000), requests, errors, ...percentilesOf(sketch) };
  }

  /** The complete steps of a window, as columns. */
  history(window: TrafficWindow): TrafficHistory {
    const now = Date.now();
    this.#fold(now);
    return historyOf(this.#recorded, window, now);
  }

  /**
   * Rate, errors and durations by route.
   *
   * @param name One route, such as `GET /api/notes/:id`. The report then has its history.
   * @returns Undefined if there is no such route.
   */
  report(window: TrafficWindow, name?: string): TrafficReport | undefined {
    const route = name === undefined ? undefined : this.#observations.routes.find(name);
    if (name !== undefined && route === undefined) return undefined;
    const only = route && (this.#recorded.routes[route.id] ?? this.#begin(route));
    const now = Date.now();
    this.#fold(now);
    return reportOf(this.#recorded, window, now, only);
  }

  /** Stops the timer and the samples. */
  close(): void {
    clearTimeout(this.#timer);
    this.#closed = true;
    this.samples.stop();
  }

  /** Starts to sample, until nothing happens any more. */
  #wake(): void {
    this.#busy = true;
    if (this.#timer !== undefined || this.#closed) return;
    const now = Date.now();
    this.#fold(now);
    this.samples.start();
    this.#lastTick = now;
    this.#plan(now);
  }

  /** Looks on full seconds: steps end on time without reading the clock in each request. */
  #plan(now: number): void {
    this.#timer = setTimeout(() => this.#look(), SECOND_MS - (now % SECOND_MS)).unref();
  }

  #look(): void {
    const now = Date.now();
    this.#fold(now);
    // A clock that was set back must not stop the ticks.
    if (Math.abs(now - this.#lastTick) >= TICK_MS - SECOND_MS / 2) {
      this.#sample();
      this.#lastTick = now;
      const quiet = !this.#busy && this.#watchers === 0;
      this.#busy = false;
      for (const listener of this.#listeners) listener(now);
      // A listener may have caused a query.
      if (quiet && !this.#busy) {
        this.#timer = undefined;
        this.samples.stop();
        return;
      }
    }
    this.#plan(now);
  }

  #sample(): void {
    const sample = this.samples.take(TICK_MS);
    if (sample === undefined) return;
    const step = this.#recorded.steps.current;
    const { heapUsed, rss } = memoryUsage();
    const { total, idle, waiting } = this.#sources.pool();
    step.sampled = {
      ...sample,
      eventLoopDelayMs: Math.max(sample.eventLoopDelayMs, step.sampled?.eventLoopDelayMs ?? 0),
      inFlight: this.#sources.connections().working,
      rss,
      heapUsed,
      poolInUse: total - idle,
      poolWaiting: waiting,
    };
  }

  /** Adds new requests to their step and minute, then begins the next step if it is due. */
  #fold(now: number): void {
    const { steps, slowRequests, slowQueries } = this.#recorded;
    const step = steps.current;
    // All of them came within this step: they are folded when a step ends.
    const minute = minuteOf(step.number * STEP_MS);
    for (const route of this.#active) {
      step.requests.merge(route.fresh);
      route.fold(minute);
    }
    this.#active.length = 0;
    const { rateLimited, shed } = this.#sources.refused();
    step.refused += rateLimited + shed - this.#refused;
    this.#refused = rateLimited + shed;
    steps.advance(now);
    slowRequests.roll(now);
    slowQueries.roll(now);
  }
}

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
import { CORES, HEAP_LIMIT, MEMORY_LIMIT, ProcessSamples } from './process-samples.ts';
import { minuteOf, RouteTraffic } from './route-traffic.ts';
import { Sketch } from './sketch.ts';
import { Slowest } from './slowest.ts';
import { withoutValues } from './statements.ts';
import { firstFrom, STEP_MS, Steps } from './steps.ts';
import { Tally } from './tally.ts';
import {
  historyOf,
  type Kept,
  percentilesOf,
  performanceOf,
  round,
  rounded,
  type SlowQuery,
  type SlowRequest,
  WINDOW_MS,
} from './traffic-views.ts';

/** Listeners are told this often while there is something to tell, in milliseconds. */
export const TICK_MS = 2_000;
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const MAX_SLOW = 20;

/** Where figures come from that somebody else counts. */
export interface TrafficSources {
  instance: string;
  /** Open ones, and those among them with an answer under way. */
  connections(): { open: number; working: number };
  pool(): { max: number; total: number; idle: number; waiting: number };
  /** Since start. */
  refused(): { rateLimited: number; shed: number };
}

/** Requests in a window, to the step: what alerts are judged by. */
export interface WindowTotals {
  /** How much of the window this process has seen. */
  seconds: number;
  requests: number;
  /** Answers of 500 or more. */
  errors: number;
  p50Ms: number | null;
  p90Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

/**
 * How this process is doing, over the last hour: counts, durations and what they cost.
 *
 * It is told of each observation that the platform counts; everything else is computed when somebody asks. While requests
 * come or a screen is open, it looks at the process once a second; else it does nothing at all.
 */
export class Traffic implements Observer {
  readonly samples: ProcessSamples;
  readonly #slowRequests = new Slowest<SlowRequest>(MAX_SLOW);
  readonly #slowQueries = new Slowest<SlowQuery>(MAX_SLOW);
  readonly #observations: Observations;
  /** By the id of the route. */
  readonly #routes: (RouteTraffic | undefined)[] = [];
  readonly #sources: TrafficSources;
  readonly #kept: Kept;
  readonly #steps: Steps;
  /** Routes with something fresh. */
  readonly #active: RouteTraffic[] = [];
  /** Refusals that are in a step already. */
  #refused = 0;
  readonly #listeners = new Set<(at: number) => void>();
  #watchers = 0;
  /** Something has happened since the last tick. */
  #busy = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #lastTick = 0;

  /** @param observations From here on it is their observer. */
  constructor(observations: Observations, sources: TrafficSources) {
    const { instance } = sources;
    const startedAt = Date.now();
    this.samples = new ProcessSamples(observations.collections);
    this.#observations = observations;
    this.#sources = sources;
    this.#steps = new Steps(startedAt);
    this.#kept = {
      instance,
      startedAt,
      steps: this.#steps,
      routes: this.#routes,
      slowRequests: this.#slowRequests,
      slowQueries: this.#slowQueries,
    };
    observations.observer = this;
  }

  /** False where ENABLE_METRICS says so: then nothing is counted, and only the process itself can be looked at. */
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
    const own = this.#routes[route.id] ?? this.#begin(route);
    if (own.fresh.requests === 0) this.#active.push(own);
    own.add(status, ms, timed);
    if (ms > this.#slowRequests.bar && timed && request !== undefined) {
      const { method, route: name } = route;
      const known = { requestId: request.id, method, route: name, path: pathOf(request.url), status };
      this.#slowRequests.add({ at: Date.now(), ms, ...known });
    }
  }

  query(text: string, ms: number, failed: boolean): void {
    if (!this.#busy) this.#wake();
    this.#steps.current.queries.add(ms);
    if (ms <= this.#slowQueries.bar) return;
    const known = { statement: withoutValues(text), operation: operationOf(text), failed };
    this.#slowQueries.add({ at: Date.now(), ms, ...known });
  }

  acquire(ms: number): void {
    if (!this.#busy) this.#wake();
    this.#steps.current.acquires.add(ms);
  }

  #begin(route: Route): RouteTraffic {
    const own = new RouteTraffic(route);
    // Without holes, in which V8 would look slowly.
    while (this.#routes.length <= route.id) this.#routes.push(undefined);
    this.#routes[route.id] = own;
    return own;
  }

  /** Keeps sampling although no request comes: a screen is open. @returns A function that ends it. */
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
   * @param listener Called every 2 s while requests come or somebody watches, with the time in milliseconds since 1970.
   * @returns A function that ends the subscription.
   */
  onTick(listener: (at: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** How it is now: rates and percentiles over the last minute, everything else at this moment. */
  figures(): ProcessFigures {
    const now = Date.now();
    const { seconds, requests, errors, ...latency } = this.totals('1m', now);
    const acquires = new Sketch();
    const queries = new Sketch();
    for (const step of this.#steps.since(now - MINUTE_MS)) {
      acquires.merge(step.acquires);
      queries.merge(step.queries);
    }
    const { open, working } = this.#sources.connections();
    const pool = this.#sources.pool();
    const { rss, heapUsed, external } = memoryUsage();
    const sample = this.samples.latest;
    return {
      at: new Date(now).toISOString(),
      requestsPerSecond: round(requests / seconds),
      errorRatio: requests === 0 ? 0 : errors / requests,
      ...latency,
      inFlight: working,
      connections: open,
      eventLoop: {
        utilization: sample?.eventLoopUtilization ?? 0,
        delayP99Ms: round(sample?.eventLoopDelayMs ?? 0),
      },
      cpu: round(sample?.cpu ?? 0),
      cores: CORES,
      memory: { rss, heapUsed, heapLimit: HEAP_LIMIT, external, limit: MEMORY_LIMIT },
      gcMsPerSecond: round(sample?.gcMsPerSecond ?? 0),
      pool: {
        size: pool.max,
        open: pool.total,
        idle: pool.idle,
        waiting: pool.waiting,
        acquireP95Ms: rounded(acquires.quantile(0.95)),
      },
      queryP95Ms: rounded(queries.quantile(0.95)),
      refused: this.#sources.refused(),
    };
  }

  /** Requests in a window that ends now; its beginning is exact to 5 s. */
  totals(window: TrafficWindow, now: number = Date.now()): WindowTotals {
    this.#fold(now);
    const from = now - WINDOW_MS[window];
    const sum = new Tally();
    for (const step of this.#steps.since(from)) sum.merge(step.requests);
    const began = Math.max(this.#kept.startedAt, firstFrom(from) * STEP_MS);
    return {
      seconds: Math.max(1, (now - began) / 1_000),
      requests: sum.requests,
      errors: sum.errors,
      ...percentilesOf(sum.sketch),
    };
  }

  /** The steps of a window that are over, as columns. */
  history(window: TrafficWindow): TrafficHistory {
    const now = Date.now();
    this.#fold(now);
    return historyOf(this.#kept, window, now);
  }

  /**
   * Rate, errors and durations by route.
   *
   * @param name One route alone, as `GET /api/notes/:id`; then with its history.
   * @returns Undefined where there is no such route.
   */
  performance(window: TrafficWindow, name?: string): TrafficReport | undefined {
    const route = name === undefined ? undefined : this.#observations.routes.find(name);
    if (name !== undefined && route === undefined) return undefined;
    const only = route && (this.#routes[route.id] ?? this.#begin(route));
    const now = Date.now();
    this.#fold(now);
    return performanceOf(this.#kept, window, now, only);
  }

  /** Ends what runs. */
  close(): void {
    clearTimeout(this.#timer);
    this.#closed = true;
    this.samples.stop();
  }

  /** Something happens: from now on it is looked at, until nothing does. */
  #wake(): void {
    this.#busy = true;
    if (this.#timer !== undefined || this.#closed) return;
    const now = Date.now();
    this.#fold(now);
    this.samples.start();
    this.#lastTick = now;
    this.#plan(now);
  }

  /** On whole seconds, so that steps end when they should without anybody looking at a clock for each request. */
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
      // Nor has one of these set something going.
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
    const step = this.#steps.current;
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

  /** Adds what is fresh to its step and its minute, then begins the next step if its time has come. */
  #fold(now: number): void {
    const step = this.#steps.current;
    // What is fresh came within the step, or it would have been folded when that ended.
    const minute = minuteOf(step.number * STEP_MS);
    for (const route of this.#active) {
      step.requests.merge(route.fresh);
      route.fold(minute);
    }
    this.#active.length = 0;
    const { rateLimited, shed } = this.#sources.refused();
    step.refused += rateLimited + shed - this.#refused;
    this.#refused = rateLimited + shed;
    this.#steps.advance(now);
    this.#slowRequests.roll(now);
    this.#slowQueries.roll(now);
  }
}

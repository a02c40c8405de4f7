import type { Figures, History, Performance, Window } from '#contracts/monitoring.ts';
import { memoryUsage } from '../lib/memory.ts';
import { CORES, HEAP_LIMIT, MEMORY_LIMIT, ProcessSamples } from './process-samples.ts';
import { Queries } from './queries.ts';
import { minuteOf, type Route, Routes, Tally } from './routes.ts';
import { Sketch } from './sketch.ts';
import { Slowest } from './slowest.ts';
import { firstFrom, STEP_MS, Steps } from './steps.ts';
import {
  historyOf,
  type Kept,
  percentilesOf,
  performanceOf,
  round,
  rounded,
  type SlowRequest,
  WINDOW_MS,
} from './traffic-views.ts';

/** Listeners are told this often while there is something to tell, in milliseconds. */
export const TICK_MS = 2_000;
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const MOST_SLOW = 20;

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
 * One observation for each request feeds all of it; everything else is computed when somebody asks. While requests come
 * or a screen is open, it looks at the process once a second; else it does nothing at all.
 */
export class Traffic {
  /** False where ENABLE_METRICS says so: then nothing is counted, and only the process itself can be looked at. */
  readonly enabled: boolean;
  readonly routes = new Routes();
  readonly queries = new Queries();
  readonly samples = new ProcessSamples();
  readonly slowRequests = new Slowest<SlowRequest>(MOST_SLOW);
  readonly #sources: TrafficSources;
  readonly #kept: Kept;
  readonly #steps: Steps;
  /** Routes with something fresh. */
  readonly #active: Route[] = [];
  /** Refusals that are in a step already. */
  #refused = 0;
  readonly #listeners = new Set<(at: number) => void>();
  #watchers = 0;
  /** Something has happened since the last tick. */
  #busy = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #lastTick = 0;

  /** @param enabled Whether anybody will call `observe`. */
  constructor(sources: TrafficSources, enabled = true) {
    const { instance } = sources;
    const startedAt = Date.now();
    const { routes, queries, slowRequests } = this;
    this.enabled = enabled;
    this.#sources = sources;
    this.#steps = new Steps(startedAt);
    this.#kept = { instance, startedAt, steps: this.#steps, routes, slowRequests, queries };
  }

  /**
   * Counts one request.
   *
   * @param ms From its arrival until its answer was handed to the system, in milliseconds.
   * @param hurried Whether its duration says anything about others.
   */
  observe(route: Route, status: number, ms: number, hurried = true): void {
    if (!this.#busy) this.#wake();
    if (route.fresh.requests === 0) this.#active.push(route);
    route.add(route.series[status] ?? this.routes.seriesOf(route, status), status, ms, hurried);
  }

  /** Counts one statement. @param text As it was sent. @param ms Until it was answered or failed. */
  observeQuery(text: string, ms: number, failed: boolean): void {
    if (!this.#busy) this.#wake();
    this.queries.add(text, ms, failed);
    this.#steps.current.queries.add(ms);
  }

  /** Counts one wait for a connection of the pool. @param ms Until it was lent or refused. */
  observeAcquire(ms: number): void {
    if (!this.#busy) this.#wake();
    this.queries.acquires.add(ms);
    this.#steps.current.acquires.add(ms);
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
  figures(): Figures {
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
  totals(window: Window, now: number = Date.now()): WindowTotals {
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
  history(window: Window): History {
    const now = Date.now();
    this.#fold(now);
    return historyOf(this.#kept, window, now);
  }

  /**
   * Rate, errors and durations by route.
   *
   * @param name One route alone, as `GET /api/notes/:id`; then with its history.
   * @returns Undefined where nobody has asked for that route yet.
   */
  performance(window: Window, name?: string): Performance | undefined {
    const only = name === undefined ? undefined : this.routes.find(name);
    if (name !== undefined && only === undefined) return undefined;
    const now = Date.now();
    this.#fold(now);
    return performanceOf(this.#kept, window, now, only);
  }

  /** Ends what runs. */
  close(): void {
    clearTimeout(this.#timer);
    this.#closed = true;
    this.samples.close();
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
    this.slowRequests.roll(now);
    this.queries.slowest.roll(now);
  }
}

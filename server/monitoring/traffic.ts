import type { Figures, History, Performance, RouteFigures, Window } from '#contracts/monitoring.ts';
import { Durations } from './durations.ts';
import { CORES, HEAP_LIMIT, MEMORY_LIMIT, ProcessSamples } from './process-samples.ts';
import { minuteOf, type Route, Routes, Tally } from './routes.ts';
import { Sketch } from './sketch.ts';
import { Slowest } from './slowest.ts';

/** Listeners are told this often while there is something to tell, in milliseconds. */
export const TICK_MS = 2_000;
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
/** The process as a whole is kept in steps of this length, for an hour. */
export const STEP_MS = 5_000;
const STEPS = 720;
const MOST_SLOW = 20;
/** Of a statement that is shown, in characters. */
const LONGEST_STATEMENT = 500;
/** Upper bounds in seconds: those that OpenTelemetry gives for `db.client.operation.duration`. */
const QUERY_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
/** Operations with a label of their own. */
const OPERATION = /^\s*(select|insert|update|delete)\b/i;
export const WINDOW_MS: Readonly<Record<Window, number>> = {
  '1m': MINUTE_MS,
  '5m': 5 * MINUTE_MS,
  '15m': 15 * MINUTE_MS,
  '1h': 60 * MINUTE_MS,
};

/** Where figures come from that somebody else counts. */
export interface TrafficSources {
  instance: string;
  /** Open ones, and those among them with an answer under way. */
  connections(): { open: number; working: number };
  pool(): { max: number; total: number; idle: number; waiting: number };
  /** Since start. */
  refused(): { rateLimited: number; shed: number };
}

/** What is known of a request that is among the slowest. */
export interface SlowRequest {
  /** When it ended, in milliseconds since 1970. */
  at: number;
  ms: number;
  requestId: string;
  method: string;
  route: string;
  /** Without its query. */
  path: string;
  status: number;
}

interface SlowQuery {
  at: number;
  ms: number;
  statement: string;
  operation: string;
  failed: boolean;
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

/** Values that are sampled, at the end of a step or as the worst in it. Undefined: there was no sample. */
interface Sampled {
  inFlight: number;
  eventLoopDelayMs: number;
  eventLoopUtilization: number;
  cpu: number;
  rss: number;
  heapUsed: number;
  gcMsPerSecond: number;
  poolInUse: number;
  poolWaiting: number;
}

/** What happened in the whole process within one step. */
class Step {
  /** Steps since 1970. */
  readonly number: number;
  readonly requests = new Tally();
  queries = new Sketch();
  acquires = new Sketch();
  refused = 0;
  sampled: Sampled | undefined;

  constructor(number: number) {
    this.number = number;
  }

  /** Takes no more room than it needs from here on. */
  seal(): void {
    this.requests.sketch = this.requests.sketch.sealed();
    this.queries = this.queries.sealed();
    this.acquires = this.acquires.sealed();
  }
}

/**
 * How this process is doing, over the last hour: counts, durations and what they cost.
 *
 * One observation for each request feeds all of it; everything else is computed when somebody asks. While requests come
 * or a screen is open, it looks at the process once a second; else it does nothing at all.
 */
export class Traffic {
  readonly instance: string;
  /** False where ENABLE_METRICS says so: then nothing is counted, and only the process itself can be looked at. */
  readonly enabled: boolean;
  readonly routes = new Routes();
  readonly samples = new ProcessSamples();
  readonly slowRequests = new Slowest<SlowRequest>(MOST_SLOW);
  /** Statements since start, by operation and outcome. */
  readonly queries = new Map<
    string,
    { labels: { operation: string; outcome: string }; durations: Durations }
  >();
  /** Waiting for a connection of the pool, since start. */
  readonly acquires = new Durations(QUERY_BUCKETS);
  readonly #slowQueries = new Slowest<SlowQuery>(MOST_SLOW);
  readonly #sources: TrafficSources;
  readonly #startedAt = Date.now();
  /** By step modulo `STEPS`. */
  readonly #steps: (Step | undefined)[] = [];
  #step: Step;
  /** Routes with something fresh. */
  readonly #active: Route[] = [];
  #refused = 0;
  readonly #listeners = new Set<(at: number) => void>();
  #watchers = 0;
  /** Something has happened since the last look. */
  #busy = false;
  #timer: NodeJS.Timeout | undefined;
  #lastTick = 0;
  #closed = false;

  /** @param enabled Whether anybody will call `observe`. */
  constructor(sources: TrafficSources, enabled = true) {
    this.enabled = enabled;
    this.instance = sources.instance;
    this.#sources = sources;
    this.#step = new Step(Math.floor(this.#startedAt / STEP_MS));
    this.#steps[this.#step.number % STEPS] = this.#step;
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

  /** Counts one statement. @param text As it was sent, with placeholders. @param ms Until it was answered, or failed. */
  observeQuery(text: string, ms: number, failed: boolean): void {
    if (!this.#busy) this.#wake();
    const operation = OPERATION.exec(text)?.[1]?.toLowerCase() ?? 'other';
    const outcome = failed ? 'error' : 'ok';
    const key = `${operation} ${outcome}`;
    let series = this.queries.get(key);
    if (series === undefined) {
      series = { labels: { operation, outcome }, durations: new Durations(QUERY_BUCKETS) };
      this.queries.set(key, series);
    }
    series.durations.add(ms);
    this.#step.queries.add(ms);
    if (ms <= this.#slowQueries.bar) return;
    this.#slowQueries.add({ at: Date.now(), ms, statement: withoutValues(text), operation, failed });
  }

  /** Counts one wait for a connection of the pool. @param ms Until it was lent, or refused. */
  observeAcquire(ms: number): void {
    this.acquires.add(ms);
    this.#step.acquires.add(ms);
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
    for (const step of this.#since(now - MINUTE_MS)) {
      acquires.merge(step.acquires);
      queries.merge(step.queries);
    }
    const { open, working } = this.#sources.connections();
    const pool = this.#sources.pool();
    const { rss, heapUsed, external } = process.memoryUsage();
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
    const sum = new Tally();
    for (const step of this.#since(now - WINDOW_MS[window])) sum.merge(step.requests);
    // Whole steps, and the one that is not over yet.
    const began = Math.max(this.#startedAt, stepOf(now - WINDOW_MS[window]) * STEP_MS + STEP_MS);
    return {
      seconds: Math.max(1, (now - began) / 1_000),
      requests: sum.requests,
      errors: sum.errors,
      ...percentiles(sum.sketch),
    };
  }

  /** The steps of a window that are over, as columns. */
  history(window: Window): History {
    const now = Date.now();
    this.#fold(now);
    const current = stepOf(now);
    const first = Math.max(stepOf(this.#startedAt), current - WINDOW_MS[window] / STEP_MS);
    const numbers = Array.from({ length: Math.max(0, current - first) }, (_, index) => first + index);
    const steps = numbers.map((number) => this.#at(number));
    const perSecond = (count: (step: Step) => number) =>
      steps.map((step) => (step ? round(count(step) / (STEP_MS / 1_000)) : null));
    const quantiles = (sketch: (step: Step) => Sketch, share: number) =>
      steps.map((step) => (step ? rounded(sketch(step).quantile(share)) : null));
    const sampled = (name: keyof Sampled) =>
      steps.map((step) => (step?.sampled ? round(step.sampled[name]) : null));
    return {
      instance: this.instance,
      window,
      stepMs: STEP_MS,
      times: numbers.map((number) => (number + 1) * STEP_MS),
      requestsPerSecond: perSecond(({ requests }) => requests.requests),
      errorsPerSecond: perSecond(({ requests }) => requests.errors),
      p50Ms: quantiles(({ requests }) => requests.sketch, 0.5),
      p95Ms: quantiles(({ requests }) => requests.sketch, 0.95),
      p99Ms: quantiles(({ requests }) => requests.sketch, 0.99),
      inFlight: sampled('inFlight'),
      eventLoopDelayMs: sampled('eventLoopDelayMs'),
      eventLoopUtilization: sampled('eventLoopUtilization'),
      cpu: sampled('cpu'),
      rss: sampled('rss'),
      heapUsed: sampled('heapUsed'),
      gcMsPerSecond: sampled('gcMsPerSecond'),
      poolInUse: sampled('poolInUse'),
      poolWaiting: sampled('poolWaiting'),
      queryP95Ms: quantiles(({ queries }) => queries, 0.95),
      refusedPerSecond: perSecond(({ refused }) => refused),
    };
  }

  /**
   * Rate, errors and durations by route, over the minutes of a window and the one that is not over yet.
   *
   * @param name One route alone, as `GET /api/notes/:id`; then with its history.
   * @returns Undefined where nobody has asked for that route yet.
   */
  performance(window: Window, name?: string): Performance | undefined {
    const now = Date.now();
    this.#fold(now);
    const last = minuteOf(now);
    const first = last - WINDOW_MS[window] / MINUTE_MS;
    const seconds = Math.max(1, (now - Math.max(this.#startedAt, first * MINUTE_MS)) / 1_000);
    const found = name === undefined ? undefined : this.routes.find(name);
    if (name !== undefined && found === undefined) return undefined;

    const total = new Tally();
    const routes: RouteFigures[] = [];
    for (const route of found ? [found] : this.routes.all()) {
      const tally = new Tally();
      for (const minute of route.since(first)) tally.merge(minute.tally);
      if (tally.requests === 0) continue;
      total.merge(tally);
      routes.push({ method: route.method, route: route.route, ...figuresOf(tally, seconds) });
    }
    const slow = this.slowRequests.list(now);
    return {
      instance: this.instance,
      window,
      seconds: round(seconds),
      total: figuresOf(total, seconds),
      routes: routes.sort((a, b) => b.requests - a.requests),
      distribution: distributionOf(total.sketch),
      slowestRequests: slow
        .filter(({ method, route }) => !found || (method === found.method && route === found.route))
        .map(({ at, ms, ...rest }) => ({ at: iso(at), ...rest, durationMs: round(ms) })),
      slowestQueries: this.#slowQueries
        .list(now)
        .map(({ at, ms, ...rest }) => ({ at: iso(at), ...rest, durationMs: round(ms) })),
      ...(found ? { history: this.#historyOf(found, Math.max(first, minuteOf(this.#startedAt)), last) } : {}),
    };
  }

  /** Ends what runs. */
  close(): void {
    clearTimeout(this.#timer);
    this.#closed = true;
    this.samples.close();
  }

  /** The minutes of one route that are over. */
  #historyOf(route: Route, first: number, last: number): Performance['history'] {
    const minutes = Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index);
    const tallies = new Map(Array.from(route.since(first), ({ minute, tally }) => [minute, tally]));
    const column = (value: (tally: Tally) => number | null) =>
      minutes.map((minute) => {
        const tally = tallies.get(minute);
        return tally ? rounded(value(tally)) : null;
      });
    return {
      stepMs: MINUTE_MS,
      times: minutes.map((minute) => (minute + 1) * MINUTE_MS),
      requestsPerSecond: column(({ requests }) => requests / 60),
      errorsPerSecond: column(({ errors }) => errors / 60),
      p50Ms: column(({ sketch }) => sketch.quantile(0.5)),
      p95Ms: column(({ sketch }) => sketch.quantile(0.95)),
      p99Ms: column(({ sketch }) => sketch.quantile(0.99)),
    };
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
      this.#sample(now);
      this.#lastTick = now;
      for (const listener of this.#listeners) listener(now);
      if (!this.#busy && this.#watchers === 0) {
        this.#timer = undefined;
        this.samples.stop();
        return;
      }
      this.#busy = false;
    }
    this.#plan(now);
  }

  #sample(now: number): void {
    const sample = this.samples.take(TICK_MS);
    if (sample === undefined) return;
    const step = this.#stepAt(now);
    const { heapUsed, rss } = process.memoryUsage();
    const { total, idle, waiting } = this.#sources.pool();
    const before = step.sampled;
    step.sampled = {
      ...sample,
      eventLoopDelayMs: Math.max(sample.eventLoopDelayMs, before?.eventLoopDelayMs ?? 0),
      inFlight: this.#sources.connections().working,
      rss,
      heapUsed,
      poolInUse: total - idle,
      poolWaiting: waiting,
    };
  }

  /** Adds what is fresh to its step and its minute, and begins the next step if its time has come. */
  #fold(now: number): void {
    const step = this.#step;
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
    if (stepOf(now) !== step.number) this.#stepAt(now);
    this.slowRequests.roll(now);
    this.#slowQueries.roll(now);
  }

  #stepAt(now: number): Step {
    const number = stepOf(now);
    if (number === this.#step.number) return this.#step;
    this.#step.seal();
    this.#step = this.#at(number) ?? new Step(number);
    this.#steps[number % STEPS] = this.#step;
    return this.#step;
  }

  #at(number: number): Step | undefined {
    const step = this.#steps[number % STEPS];
    return step?.number === number ? step : undefined;
  }

  /** Steps that began after a time, up to the one that is not over yet. */
  *#since(time: number): Generator<Step> {
    const first = stepOf(time) + 1;
    for (const step of this.#steps) if (step !== undefined && step.number >= first) yield step;
  }
}

const stepOf = (at: number) => Math.floor(at / STEP_MS);
const iso = (at: number) => new Date(at).toISOString();
/** To three decimal places: microseconds, where it is milliseconds. */
const round = (value: number) => Math.round(value * 1_000) / 1_000;
const rounded = (value: number | null) => (value === null ? null : round(value));

function percentiles(sketch: Sketch) {
  return {
    p50Ms: rounded(sketch.quantile(0.5)),
    p90Ms: rounded(sketch.quantile(0.9)),
    p95Ms: rounded(sketch.quantile(0.95)),
    p99Ms: rounded(sketch.quantile(0.99)),
  };
}

function figuresOf(tally: Tally, seconds: number): Performance['total'] {
  const { requests, clientErrors, errors, maxMs, sketch } = tally;
  return {
    requests,
    requestsPerSecond: round(requests / seconds),
    clientErrors,
    errors,
    ...percentiles(sketch),
    maxMs: sketch.count === 0 ? null : round(maxMs),
  };
}

/** Bounds that people read easily: 1, 2 and 5 times powers of ten, in milliseconds. */
const BOUNDS = [-1, 0, 1, 2, 3, 4, 5, 6].flatMap((power) =>
  [1, 2, 5].map((times) => Number(`${times}e${power}`)),
);

/** How many took how long, from the first bound with requests to the last. */
function distributionOf(sketch: Sketch): Performance['distribution'] {
  const counts = BOUNDS.map(() => 0);
  sketch.each((ms, count) => {
    const place = BOUNDS.findIndex((bound) => ms <= bound);
    (counts[place === -1 ? counts.length - 1 : place] as number) += count;
  });
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  if (first === -1) return [];
  return counts
    .slice(first, last + 1)
    .map((requests, index) => ({ upToMs: BOUNDS[first + index] as number, requests }));
}

/** A statement as it may be shown: values that somebody wrote into its text are left out. */
export function withoutValues(text: string): string {
  return text
    .slice(0, 4 * LONGEST_STATEMENT)
    .replace(/\$(\w*)\$[\s\S]*?(?:\$\1\$|$)/g, '?')
    .replace(/'(?:[^'\\]|''|\\[\s\S])*(?:'|$)/g, '?')
    .replace(/(?<![\w$"])\d+(?:\.\d+)?(?![\w"])/g, '?')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, LONGEST_STATEMENT);
}

import type {
  RouteFigures,
  TrafficHistory,
  TrafficReport,
  TrafficWindow,
} from '#contracts/operations/traffic.ts';
import { minuteOf, type RouteTraffic } from './route-traffic.ts';
import type { Sketch } from './sketch.ts';
import type { Slowest } from './slowest.ts';
import { type Sampled, STEP_MS, type Step, type Steps, stepOf } from './steps.ts';
import { Tally } from './tally.ts';

const MINUTE_MS = 60_000;
export const WINDOW_MS: Readonly<Record<TrafficWindow, number>> = {
  '1m': MINUTE_MS,
  '5m': 5 * MINUTE_MS,
  '15m': 15 * MINUTE_MS,
  '1h': 60 * MINUTE_MS,
};

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

/** What is known of a statement that is among the slowest. */
export interface SlowQuery {
  /** When it ended, in milliseconds since 1970. */
  at: number;
  ms: number;
  statement: string;
  operation: string;
  failed: boolean;
}

/** Everything that is kept. */
export interface Kept {
  instance: string;
  /** Milliseconds since 1970. */
  startedAt: number;
  steps: Steps;
  /** By the id of the route; those that were never asked for are missing. */
  routes: readonly (RouteTraffic | undefined)[];
  slowRequests: Slowest<SlowRequest>;
  slowQueries: Slowest<SlowQuery>;
}

/** The steps of a window that are over, as columns. */
export function historyOf(
  { instance, startedAt, steps }: Kept,
  window: TrafficWindow,
  now: number,
): TrafficHistory {
  const current = stepOf(now);
  const first = Math.max(stepOf(startedAt), current - WINDOW_MS[window] / STEP_MS);
  const numbers = range(first, current);
  const found = numbers.map((number) => steps.at(number));
  const perSecond = (count: (step: Step) => number) =>
    found.map((step) => (step ? round(count(step) / (STEP_MS / 1_000)) : null));
  const quantiles = (sketch: (step: Step) => Sketch, share: number) =>
    found.map((step) => (step ? rounded(sketch(step).quantile(share)) : null));
  const sampled = (name: keyof Sampled) =>
    found.map((step) => (step?.sampled ? round(step.sampled[name]) : null));
  return {
    instance,
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
 * @param only One route alone, then with its history.
 */
export function performanceOf(
  kept: Kept,
  window: TrafficWindow,
  now: number,
  only?: RouteTraffic,
): TrafficReport {
  const { instance, startedAt, routes, slowRequests, slowQueries } = kept;
  const last = minuteOf(now);
  const first = last - WINDOW_MS[window] / MINUTE_MS;
  const seconds = Math.max(1, (now - Math.max(startedAt, first * MINUTE_MS)) / 1_000);

  const total = new Tally();
  const found: RouteFigures[] = [];
  for (const one of only ? [only] : routes) {
    if (one === undefined) continue;
    const tally = new Tally();
    for (const minute of one.since(first)) tally.merge(minute.tally);
    if (tally.requests === 0) continue;
    total.merge(tally);
    found.push({ method: one.route.method, route: one.route.route, ...figuresOf(tally, seconds) });
  }
  const shown = <Item extends { at: number; ms: number }>({ at, ms, ...rest }: Item) => ({
    at: new Date(at).toISOString(),
    ...rest,
    durationMs: round(ms),
  });
  return {
    instance,
    window,
    seconds: round(seconds),
    total: figuresOf(total, seconds),
    routes: found.sort((a, b) => b.requests - a.requests),
    distribution: distributionOf(total.sketch),
    slowestRequests: slowRequests
      .list(now, ({ method, route }) => !only || (method === only.route.method && route === only.route.route))
      .map(shown),
    slowestQueries: slowQueries.list(now).map(shown),
    ...(only ? { history: routeHistory(only, Math.max(first, minuteOf(startedAt)), last) } : {}),
  };
}

/** The minutes of one route that are over. */
function routeHistory(
  route: RouteTraffic,
  first: number,
  last: number,
): NonNullable<TrafficReport['history']> {
  const minutes = range(first, last);
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

/** Whole numbers from `first` up to the one before `end`. */
const range = (first: number, end: number) =>
  Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index);

/** To three decimal places: microseconds, where it is milliseconds. */
export const round = (value: number): number => Math.round(value * 1_000) / 1_000;
export const rounded = (value: number | null): number | null => (value === null ? null : round(value));

export const percentilesOf = (sketch: Sketch) => ({
  p50Ms: rounded(sketch.quantile(0.5)),
  p90Ms: rounded(sketch.quantile(0.9)),
  p95Ms: rounded(sketch.quantile(0.95)),
  p99Ms: rounded(sketch.quantile(0.99)),
});

function figuresOf(tally: Tally, seconds: number): TrafficReport['total'] {
  const { requests, clientErrors, errors, maxMs, sketch } = tally;
  return {
    requests,
    requestsPerSecond: round(requests / seconds),
    clientErrors,
    errors,
    ...percentilesOf(sketch),
    maxMs: sketch.count === 0 ? null : round(maxMs),
  };
}

/** Bounds that people read easily: 1, 2 and 5 times powers of ten, in milliseconds. */
const BOUNDS = [-1, 0, 1, 2, 3, 4, 5, 6].flatMap((power) =>
  [1, 2, 5].map((times) => Number(`${times}e${power}`)),
);

/** How many took how long, from the first bound with requests to the last. */
function distributionOf(sketch: Sketch): TrafficReport['distribution'] {
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

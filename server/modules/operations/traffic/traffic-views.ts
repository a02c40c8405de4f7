import type {
  RouteFigures,
  TrafficHistory,
  TrafficReport,
  TrafficWindow,
} from '#contracts/operations/traffic.ts';
import { minuteOf, type RouteTraffic } from './route-traffic.ts';
import type { Sketch } from './sketch.ts';
import type { Slowest } from './slowest.ts';
import { SAMPLED, type Sampled, STEP_MS, type Step, type Steps, stepOf } from './steps.ts';
import { Tally } from './tally.ts';

const MINUTE_MS = 60_000;
export const WINDOW_MS: Readonly<Record<TrafficWindow, number>> = {
  '1m': MINUTE_MS,
  '5m': 5 * MINUTE_MS,
  '15m': 15 * MINUTE_MS,
  '1h': 60 * MINUTE_MS,
};

interface Slow {
  /** When it ended, in milliseconds since 1970. */
  at: number;
  ms: number;
}

type Listed<Name extends 'slowestRequests' | 'slowestQueries'> = TrafficReport[Name][number];
export type SlowRequest = Slow & Omit<Listed<'slowestRequests'>, 'at' | 'durationMs'>;
export type SlowQuery = Slow & Omit<Listed<'slowestQueries'>, 'at' | 'durationMs'>;

/** Everything that is recorded. */
export interface Recorded {
  instance: string;
  /** Milliseconds since 1970. */
  startedAt: number;
  steps: Steps;
  /** By the id of the route. Routes without requests are undefined. */
  routes: (RouteTraffic | undefined)[];
  slowRequests: Slowest<SlowRequest>;
  slowQueries: Slowest<SlowQuery>;
}

/** The complete steps of a window, as columns. */
export function historyOf(recorded: Recorded, window: TrafficWindow, now: number): TrafficHistory {
  const { instance, startedAt, steps } = recorded;
  const current = stepOf(now);
  const first = Math.max(stepOf(startedAt), current - WINDOW_MS[window] / STEP_MS);
  const found = range(first, current).map((number) => steps.at(number));
  const column = (value: (step: Step) => number | null | undefined) =>
    found.map((step) => rounded(step ? (value(step) ?? null) : null));
  const requests = found.map((step) => step?.requests);
  const sampled = SAMPLED.map((name) => [name, column(({ sampled }) => sampled?.[name])]);
  return {
    ...{ instance, window },
    ...requestColumns(requests, first, STEP_MS),
    ...(Object.fromEntries(sampled) as Record<keyof Sampled, (number | null)[]>),
    queryP95Ms: column(({ queries }) => queries.quantile(0.95)),
    refusedPerSecond: column(({ refused }) => refused / (STEP_MS / 1_000)),
  };
}

/** The columns that every history has. @param first Number of the first step. */
function requestColumns(tallies: (Tally | undefined)[], first: number, stepMs: number) {
  const column = (value: (tally: Tally) => number | null) =>
    tallies.map((tally) => rounded(tally ? value(tally) : null));
  return {
    stepMs,
    times: tallies.map((_, index) => (first + index + 1) * stepMs),
    requestsPerSecond: column(({ requests }) => requests / (stepMs / 1_000)),
    errorsPerSecond: column(({ errors }) => errors / (stepMs / 1_000)),
    p50Ms: column(({ sketch }) => sketch.quantile(0.5)),
    p95Ms: column(({ sketch }) => sketch.quantile(0.95)),
    p99Ms: column(({ sketch }) => sketch.quantile(0.99)),
  };
}

/**
 * Rate, errors and durations by route, for the full minutes of a window and the current minute.
 *
 * @param only Restricts the report to one route, and adds the history of that route.
 */
export function reportOf(
  recorded: Recorded,
  window: TrafficWindow,
  now: number,
  only?: RouteTraffic,
): TrafficReport {
  const { instance, startedAt, routes, slowRequests, slowQueries } = recorded;
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
  const shown = <Item extends Slow>({ at, ms, ...rest }: Item) => ({
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

/** The complete minutes of one route. */
function routeHistory(route: RouteTraffic, first: number, last: number): TrafficReport['history'] {
  const tallies = new Map(route.since(first).map(({ minute, tally }) => [minute, tally]));
  const found = range(first, last).map((minute) => tallies.get(minute));
  return requestColumns(found, first, MINUTE_MS);
}

/** Integers from `first` to the one before `end`. */
const range = (first: number, end: number) =>
  Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index);

/** To three decimal places. */
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

/** Readable bounds: 1, 2 and 5 times powers of ten, in milliseconds. */
const BOUNDS = [-1, 0, 1, 2, 3, 4, 5, 6].flatMap((power) =>
  [1, 2, 5].map((times) => Number(`${times}e${power}`)),
);

/** Requests by duration, from the first bound with requests to the last. */
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

import { type Static, Type } from 'typebox';
import { scrape } from '../metrics.ts';
import { Problem } from '../problem.ts';
import { figure, instance, nullable, operators, timestamp } from './common.ts';

export const Window = Type.Union([
  Type.Literal('1m'),
  Type.Literal('5m'),
  Type.Literal('15m'),
  Type.Literal('1h'),
]);
export type Window = Static<typeof Window>;

const latency = {
  p50Ms: figure('Half of all requests took at most so many milliseconds'),
  p90Ms: figure('90 % of them'),
  p95Ms: figure('95 % of them'),
  p99Ms: figure('99 % of them'),
};

/** How it is now: rates and percentiles over the last minute, everything else at this moment. */
export const Figures = Type.Object(
  {
    at: timestamp,
    requestsPerSecond: Type.Number(),
    /** Answers of 500 or more, refusals by overload among them. A probe that says 503 is right, and none of these. */
    errorRatio: Type.Number({ minimum: 0, maximum: 1 }),
    ...latency,
    inFlight: Type.Integer(),
    connections: Type.Integer(),
    eventLoop: Type.Object({
      utilization: Type.Number({ minimum: 0, maximum: 1 }),
      delayP99Ms: Type.Number(),
    }),
    cpu: Type.Number({ description: 'Cores in use: 1 is one core', minimum: 0 }),
    cores: Type.Number({ description: 'Cores that this process may use' }),
    memory: Type.Object({
      rss: Type.Integer({ description: 'Bytes, as the others' }),
      heapUsed: Type.Integer(),
      heapLimit: Type.Integer(),
      external: Type.Integer(),
      limit: nullable(Type.Integer({ description: "The container's limit" })),
    }),
    gcMsPerSecond: Type.Number(),
    pool: Type.Object({
      size: Type.Integer({ description: 'Connections there may be' }),
      open: Type.Integer(),
      idle: Type.Integer(),
      waiting: Type.Integer(),
      acquireP95Ms: figure('Waiting for a connection'),
    }),
    queryP95Ms: figure('Queries, 95 % of them'),
    refused: Type.Object({
      rateLimited: Type.Integer({ description: 'Since start, as the other' }),
      shed: Type.Integer(),
    }),
  },
  { $id: 'Figures', title: 'Figures' },
);
export type Figures = Static<typeof Figures>;

/** The figures, and what they are figures of: what one looks at first. */
export const Now = Type.Intersect([
  Type.Object({
    instance,
    state: Type.String({ description: 'starting, migrating, ready, draining or stopped' }),
    ready: Type.Boolean({ description: 'As /ready says' }),
    since: Type.String({
      format: 'date-time',
      description: 'When `ready` last changed; at first: the start',
    }),
    problem: Type.Optional(Type.String({ description: 'Why it is not ready, in words for a stranger' })),
  }),
  Figures,
]);
export type Now = Static<typeof Now>;

const column = (description: string) => Type.Array(nullable(Type.Number()), { description });

/** The last hour at most as columns: element `i` of each belongs to `times[i]`. Null: nothing was measured then. */
export const History = Type.Object(
  {
    instance,
    window: Window,
    stepMs: Type.Integer({ description: 'From one element to the next' }),
    times: Type.Array(Type.Integer(), { description: 'Milliseconds since 1970: the end of each step' }),
    requestsPerSecond: column('Answered requests'),
    errorsPerSecond: column('Answers of 500 or more'),
    p50Ms: column('Half of the requests in the step'),
    p95Ms: column('95 % of them'),
    p99Ms: column('99 % of them'),
    inFlight: column('At the end of the step, as all that follow'),
    eventLoopDelayMs: column('99th percentile in the step'),
    eventLoopUtilization: column('0 to 1'),
    cpu: column('Cores in use'),
    rss: column('Bytes'),
    heapUsed: column('Bytes'),
    gcMsPerSecond: column('Milliseconds of collection a second'),
    poolInUse: column('Connections'),
    poolWaiting: column('Requests that wait for a connection'),
    queryP95Ms: column('95 % of the queries in the step'),
    refusedPerSecond: column('By rate limit or overload'),
  },
  { $id: 'History', title: 'History' },
);
export type History = Static<typeof History>;

/** One route in a window. */
export const RouteFigures = Type.Object({
  method: Type.String(),
  route: Type.String({ description: 'As registered: `/api/notes/:id`' }),
  requests: Type.Integer(),
  requestsPerSecond: Type.Number(),
  clientErrors: Type.Integer({ description: 'Answers of 400 to 499' }),
  errors: Type.Integer({ description: "Answers of 500 or more, but for a probe's 503" }),
  ...latency,
  maxMs: figure('The slowest'),
});
export type RouteFigures = Static<typeof RouteFigures>;

const SlowRequest = Type.Object({
  at: timestamp,
  requestId: Type.String(),
  method: Type.String(),
  route: Type.String(),
  path: Type.String({ description: 'Without its query' }),
  status: Type.Integer(),
  durationMs: Type.Number(),
});

const SlowQuery = Type.Object({
  at: timestamp,
  statement: Type.String({ description: 'Without values, at most 500 characters' }),
  operation: Type.String({ description: 'select, insert, update, delete or other' }),
  durationMs: Type.Number(),
  failed: Type.Boolean(),
});

/** Rate, errors and durations in a window: of all routes, or of one. */
export const Performance = Type.Object(
  {
    instance,
    window: Window,
    seconds: Type.Number({
      description: 'What it covers: the whole minutes of the window that this process has seen, and this one',
    }),
    total: Type.Omit(RouteFigures, ['method', 'route']),
    routes: Type.Array(RouteFigures, { description: 'Most requests first' }),
    distribution: Type.Array(Type.Object({ upToMs: Type.Number(), requests: Type.Integer() }), {
      description: 'How many requests took at most `upToMs` and more than the element before',
    }),
    slowestRequests: Type.Array(SlowRequest, { description: 'Of the last hour, at most 20, slowest first' }),
    slowestQueries: Type.Array(SlowQuery, { description: 'Likewise' }),
    /** With `route` alone: a step is a minute. */
    history: Type.Optional(
      Type.Object({
        stepMs: Type.Integer(),
        times: Type.Array(Type.Integer()),
        requestsPerSecond: column('Answered requests'),
        errorsPerSecond: column('Answers of 500 or more'),
        p50Ms: column('Half of them'),
        p95Ms: column('95 %'),
        p99Ms: column('99 %'),
      }),
    ),
  },
  { $id: 'Performance', title: 'Performance' },
);
export type Performance = Static<typeof Performance>;

const windowQuery = Type.Object(
  { window: Type.Optional(Window), route: Type.Optional(Type.String({ maxLength: 300 })) },
  { additionalProperties: false },
);

export const readFigures = {
  method: 'GET',
  url: '/api/monitoring/metrics',
  schema: {
    summary: 'How this process is now',
    response: { 200: Now, ...operators, 404: Problem },
  },
} as const;

/** `/metrics` once more, beside the rest of monitoring. */
export const readPrometheus = {
  method: 'GET',
  url: '/api/monitoring/metrics/prometheus',
  schema: { ...scrape.schema, summary: 'The same metrics beside the rest of monitoring' },
} as const;

export const readHistory = {
  method: 'GET',
  url: '/api/monitoring/history',
  schema: {
    summary: 'How it was, over the last hour at most; 15 minutes where nothing is said',
    querystring: Type.Object({ window: Type.Optional(Window) }, { additionalProperties: false }),
    response: { 200: History, ...operators, 404: Problem },
  },
} as const;

export const readPerformance = {
  method: 'GET',
  url: '/api/monitoring/performance',
  schema: {
    summary:
      'Rate, errors and durations by route, over 5 minutes where nothing is said; with `route` (as `GET /api/notes/:id`) of one alone',
    querystring: windowQuery,
    response: { 200: Performance, ...operators, 404: Problem },
  },
} as const;

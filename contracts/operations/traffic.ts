import { type Static, Type } from 'typebox';
import { Problem } from '../problem.ts';
import { figure, instance, latency, nullable, operators, timestamp } from './common.ts';

export const TrafficWindow = Type.Union([
  Type.Literal('1m'),
  Type.Literal('5m'),
  Type.Literal('15m'),
  Type.Literal('1h'),
]);
export type TrafficWindow = Static<typeof TrafficWindow>;

const column = (description: string) => Type.Array(nullable(Type.Number()), { description });

/** Columns: element `i` of each belongs to `times[i]`. Null: nothing was measured in that step. */
const requestColumns = {
  stepMs: Type.Integer({ description: 'From one element to the next' }),
  times: Type.Array(Type.Integer(), { description: 'Milliseconds since 1970: the end of each step' }),
  requestsPerSecond: column('Answered requests'),
  errorsPerSecond: column('Responses with status 500 or more'),
  p50Ms: column('Median duration in the step'),
  p95Ms: column('95th percentile'),
  p99Ms: column('99th percentile'),
};

/** Up to one hour of the whole process. */
export const TrafficHistory = Type.Object(
  {
    instance,
    window: TrafficWindow,
    ...requestColumns,
    inFlight: column('At the end of the step, as all that follow'),
    eventLoopDelayMs: column('99th percentile in the step'),
    eventLoopUtilization: column('0 to 1'),
    cpu: column('Cores in use'),
    rss: column('Bytes'),
    heapUsed: column('Bytes'),
    gcMsPerSecond: column('Milliseconds of garbage collection per second'),
    poolInUse: column('Connections'),
    poolWaiting: column('Requests that wait for a connection'),
    queryP95Ms: column('Duration of queries, 95th percentile'),
    refusedPerSecond: column('By rate limit or overload'),
  },
  { $id: 'TrafficHistory', title: 'TrafficHistory' },
);
export type TrafficHistory = Static<typeof TrafficHistory>;

/** One route in a window. */
export const RouteFigures = Type.Object({
  method: Type.String(),
  route: Type.String({ description: 'As registered: `/api/notes/:id`' }),
  requests: Type.Integer(),
  requestsPerSecond: Type.Number(),
  clientErrors: Type.Integer({ description: 'Responses with status 400 to 499' }),
  errors: Type.Integer({ description: "Responses with status 500 or more, except a probe's 503" }),
  ...latency,
  maxMs: figure('The slowest'),
});
export type RouteFigures = Static<typeof RouteFigures>;

const slow = { at: timestamp, durationMs: Type.Number() };
const SlowRequest = Type.Object({
  ...slow,
  requestId: Type.String(),
  method: Type.String(),
  route: Type.String(),
  path: Type.String({ description: 'Without its query' }),
  status: Type.Integer(),
});
const SlowQuery = Type.Object({
  ...slow,
  statement: Type.String({ description: 'Without values, at most 500 characters' }),
  operation: Type.String({ description: 'select, insert, update, delete or other' }),
  failed: Type.Boolean(),
});

/** Rate, errors and durations in a window: of all routes, or of one. */
export const TrafficReport = Type.Object(
  {
    instance,
    window: TrafficWindow,
    seconds: Type.Number({
      description: 'Time covered: the full minutes of the window since the start, and the current minute',
    }),
    total: Type.Omit(RouteFigures, ['method', 'route']),
    routes: Type.Array(RouteFigures, { description: 'Most requests first' }),
    distribution: Type.Array(Type.Object({ upToMs: Type.Number(), requests: Type.Integer() }), {
      description: 'Requests that took at most `upToMs` and more than the element before',
    }),
    slowestRequests: Type.Array(SlowRequest, { description: 'Of the last hour, at most 20, slowest first' }),
    slowestQueries: Type.Array(SlowQuery, { description: 'Likewise' }),
    /** With `route` only: a step is a minute. */
    history: Type.Optional(Type.Object(requestColumns)),
  },
  { $id: 'TrafficReport', title: 'TrafficReport' },
);
export type TrafficReport = Static<typeof TrafficReport>;

export const readHistory = {
  method: 'GET',
  url: '/api/monitoring/history',
  schema: {
    summary: 'History of this process, for up to one hour; 15 minutes by default',
    querystring: Type.Object({ window: Type.Optional(TrafficWindow) }, { additionalProperties: false }),
    response: { 200: TrafficHistory, ...operators, 404: Problem },
  },
} as const;

export const readPerformance = {
  method: 'GET',
  url: '/api/monitoring/performance',
  schema: {
    summary:
      'Rate, errors and durations by route, for 5 minutes by default; with `route` (such as `GET /api/notes/:id`), of that route only',
    querystring: Type.Object(
      { window: Type.Optional(TrafficWindow), route: Type.Optional(Type.String({ maxLength: 300 })) },
      { additionalProperties: false },
    ),
    response: { 200: TrafficReport, ...operators, 404: Problem },
  },
} as const;

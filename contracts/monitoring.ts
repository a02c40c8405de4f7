import { type Static, type TSchema, Type } from 'typebox';
import { Problem } from './problem.ts';

/**
 * What operators may know: figures of one process, over the last hour at most.
 *
 * Every answer names its instance, because replicas behind one address answer in turns, and figures of two make no chart.
 */

const instance = Type.String({ description: 'The process that answers, as `host-1f3a9c`' });
const timestamp = Type.String({ format: 'date-time' });
const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
/** A figure that is null where nothing was measured: no request came. */
const figure = (description: string) => nullable(Type.Number({ description }));

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

/** Errors of one kind, told apart by type, message without its numbers, and the place that threw. */
export const ErrorGroup = Type.Object(
  {
    fingerprint: Type.String(),
    type: Type.String(),
    message: Type.String(),
    count: Type.Integer(),
    firstSeen: timestamp,
    lastSeen: timestamp,
    route: Type.Optional(Type.String()),
    requestId: Type.Optional(Type.String({ description: 'Of the last one; leads to its lines in the log' })),
    stack: Type.Optional(Type.String()),
  },
  { $id: 'ErrorGroup', title: 'ErrorGroup' },
);
export type ErrorGroup = Static<typeof ErrorGroup>;

export const LogLevel = Type.Union(
  (['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const).map((level) => Type.Literal(level)),
);
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** One line of the log. */
export const LogLine = Type.Object(
  {
    seq: Type.Integer({ description: 'Grows by one with each line of this process' }),
    time: timestamp,
    level: Type.Unsafe<LogLevel>(LogLevel),
    message: Type.String(),
    requestId: Type.Optional(Type.String()),
    /** Everything else that the line holds. */
    fields: Type.Record(Type.String(), Type.Unknown()),
  },
  { $id: 'LogLine', title: 'LogLine' },
);
export type LogLine = Static<typeof LogLine>;

export const Alert = Type.Object(
  {
    name: Type.String({ description: 'As `high-error-rate`' }),
    summary: Type.String({
      description: 'What is meant, for a person: `More than 5 % of all answers are errors`',
    }),
    severity: Type.Union([Type.Literal('warning'), Type.Literal('critical')]),
    state: Type.Union([
      Type.Literal('ok'),
      Type.Literal('pending'),
      Type.Literal('firing'),
      Type.Literal('resolved'),
    ]),
    since: nullable(timestamp),
    value: figure('The figure that the rule looks at, when last looked at'),
    threshold: Type.Number(),
    unit: Type.String({ description: 'Of both: `%`, `ms`, `connections`, …' }),
    forSeconds: Type.Number({ description: 'How long it must last before it fires' }),
    runbook: Type.String({ description: 'The part of docs/runbook.md, as `#high-error-rate`' }),
    silencedUntil: Type.Optional(timestamp),
  },
  { $id: 'Alert', title: 'Alert' },
);
export type Alert = Static<typeof Alert>;

export const Silence = Type.Object(
  {
    id: Type.Integer(),
    alert: Type.String({ description: 'The name of a rule, or `*` for all' }),
    comment: Type.String(),
    createdAt: timestamp,
    expiresAt: timestamp,
  },
  { $id: 'Silence', title: 'Silence' },
);
export type Silence = Static<typeof Silence>;

/** One setting as it is in force. */
export const ConfigEntry = Type.Object({
  name: Type.String(),
  group: Type.String(),
  value: nullable(Type.String({ description: 'In force; secrets masked; null: nothing is set' })),
  origin: Type.String({ description: 'environment, file, default, computed, …' }),
  doc: Type.String(),
});
export type ConfigEntry = Static<typeof ConfigEntry>;

export const ReadinessItem = Type.Object({
  name: Type.String({ description: 'As `operators-key`' }),
  title: Type.String(),
  status: Type.Union([Type.Literal('pass'), Type.Literal('warn'), Type.Literal('fail')]),
  detail: Type.String({ description: 'What was found' }),
  remedy: Type.Optional(Type.String({ description: 'What to do; absent where it passes' })),
});
export type ReadinessItem = Static<typeof ReadinessItem>;

export const ProductionReadiness = Type.Object(
  {
    instance,
    status: Type.Union([Type.Literal('pass'), Type.Literal('warn'), Type.Literal('fail')]),
    items: Type.Array(ReadinessItem),
  },
  { $id: 'ProductionReadiness', title: 'ProductionReadiness' },
);
export type ProductionReadiness = Static<typeof ProductionReadiness>;

/** `silent` can be configured, but not asked for. */
const LevelInForce = Type.Unsafe<LogLevel | 'silent'>(
  Type.Union([...LogLevel.anyOf, Type.Literal('silent')]),
);

/** The log's level, and when it goes back. */
export const LogLevelNow = Type.Object(
  {
    instance,
    level: LevelInForce,
    configured: LevelInForce,
    until: nullable(timestamp),
    scope: Type.Literal('this replica only'),
  },
  { $id: 'LogLevelNow', title: 'LogLevelNow' },
);
export type LogLevelNow = Static<typeof LogLevelNow>;

/**
 * The events of the stream, by name. All that one stream says comes from one process, so a screen that draws nothing but
 * what its stream brought never mixes two.
 */
export interface StreamEvents {
  /** First of all, and again after a reconnect. */
  hello: { instance: string; heartbeatMs: number };
  /** At once, then every 2 s. */
  figures: Now;
  /** At first the whole window that was asked for, then each further step as it ends (columns of one element, or a few). */
  history: History;
  /** At first, and when one changed. */
  alerts: { instance: string; alerts: Alert[] };
  /** At first, and when there is another: the latest 50, without their stacks, which `GET /api/monitoring/errors` has. */
  errors: { instance: string; errors: ErrorGroup[] };
  /** Where lines were asked for: the last 200 of them at first, then each. `missed`: those between that could not be kept. */
  log: { instance: string; lines: LogLine[]; missed: number };
  /**
   * This process is about to stop: connect again, another will answer. A stream also ends without a word, shortly before
   * its session does: a browser connects again by itself, which renews the session and resumes by `Last-Event-ID`.
   */
  reconnect: { instance: string };
}

const operators = { 401: Problem } as const;
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

/** What is measured since the process began, for Prometheus. */
const scraped = {
  response: {
    200: Type.String({ description: "Prometheus' text format" }),
    ...operators,
    404: Problem,
  },
} as const;

/** Where scrapers look for it. */
export const scrape = {
  method: 'GET',
  url: '/metrics',
  schema: { summary: "Metrics for a scraper that has the operators' key", ...scraped },
} as const;

export const readPrometheus = {
  method: 'GET',
  url: '/api/monitoring/metrics/prometheus',
  schema: { summary: 'The same metrics beside the rest of monitoring', ...scraped },
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

export const listErrors = {
  method: 'GET',
  url: '/api/monitoring/errors',
  schema: {
    summary: 'Errors by kind, latest first',
    response: { 200: Type.Object({ instance, errors: Type.Array(ErrorGroup) }), ...operators },
  },
} as const;

export const readLogs = {
  method: 'GET',
  url: '/api/monitoring/logs',
  schema: {
    summary: 'The end of the log',
    querystring: Type.Object(
      {
        level: Type.Optional(Type.Unsafe<LogLevel>(LogLevel)),
        search: Type.Optional(Type.String({ maxLength: 200 })),
        requestId: Type.Optional(Type.String({ maxLength: 128 })),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
      },
      { additionalProperties: false },
    ),
    response: { 200: Type.Object({ instance, lines: Type.Array(LogLine) }), ...operators },
  },
} as const;

export const listAlerts = {
  method: 'GET',
  url: '/api/monitoring/alerts',
  schema: {
    summary: 'Every rule and how it stands, firing ones first',
    response: { 200: Type.Object({ instance, alerts: Type.Array(Alert) }), ...operators },
  },
} as const;

export const listSilences = {
  method: 'GET',
  url: '/api/monitoring/silences',
  schema: {
    summary: 'Silences that have not expired',
    response: { 200: Type.Object({ instance, silences: Type.Array(Silence) }), ...operators },
  },
} as const;

export const createSilence = {
  method: 'POST',
  url: '/api/monitoring/silences',
  schema: {
    summary: 'Silence one alert, or all, for a while',
    body: Type.Object(
      {
        alert: Type.String({ minLength: 1, maxLength: 100 }),
        comment: Type.String({ minLength: 1, maxLength: 500, pattern: '^[^\\u0000]*$' }),
        minutes: Type.Integer({ minimum: 1, maximum: 7 * 24 * 60 }),
      },
      { additionalProperties: false },
    ),
    response: { 201: Silence, 400: Problem, ...operators, 503: Problem },
  },
} as const;

export const deleteSilence = {
  method: 'DELETE',
  url: '/api/monitoring/silences/:id',
  schema: {
    summary: 'End a silence',
    params: Type.Object({ id: Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 }) }),
    response: { 204: Type.Null(), 400: Problem, ...operators, 404: Problem, 503: Problem },
  },
} as const;

export const readConfig = {
  method: 'GET',
  url: '/api/monitoring/config',
  schema: {
    summary: 'Every setting as it is in force, and where it comes from',
    response: { 200: Type.Object({ instance, settings: Type.Array(ConfigEntry) }), ...operators },
  },
} as const;

export const readProductionReadiness = {
  method: 'GET',
  url: '/api/monitoring/production-readiness',
  schema: {
    summary: 'What is missing for production, and what to do about it',
    response: { 200: ProductionReadiness, ...operators },
  },
} as const;

export const readLogLevel = {
  method: 'GET',
  url: '/api/monitoring/log-level',
  schema: { summary: "The log's level", response: { 200: LogLevelNow, ...operators } },
} as const;

export const changeLogLevel = {
  method: 'PUT',
  url: '/api/monitoring/log-level',
  schema: {
    summary: "Change the log's level for a while",
    body: Type.Object(
      {
        level: Type.Unsafe<LogLevel>(LogLevel),
        minutes: Type.Integer({ minimum: 1, maximum: 24 * 60, description: 'Then it goes back' }),
      },
      { additionalProperties: false },
    ),
    response: { 200: LogLevelNow, ...operators },
  },
} as const;

/** Answers a `.cpuprofile`, which browser tools open. */
export const takeProfile = {
  method: 'GET',
  url: '/api/monitoring/profile',
  schema: {
    summary: 'A CPU profile of the next seconds',
    querystring: Type.Object(
      { seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 60, default: 5 })) },
      { additionalProperties: false },
    ),
    response: { 200: Type.Unknown(), ...operators, 409: Problem },
  },
} as const;

export const readStream = {
  method: 'GET',
  url: '/api/monitoring/stream',
  schema: {
    summary: 'All of it as server-sent events',
    querystring: Type.Object(
      {
        /** Lines of the log of at least this level come as well. */
        log: Type.Optional(Type.Unsafe<LogLevel>(LogLevel)),
        /** How much of the history comes first; 15 minutes where nothing is said. */
        window: Type.Optional(Window),
      },
      { additionalProperties: false },
    ),
    response: {
      200: {
        description: 'Events, until one side has had enough',
        content: { 'text/event-stream': { schema: Type.String() } },
      },
      ...operators,
      503: Problem,
    },
  },
} as const;

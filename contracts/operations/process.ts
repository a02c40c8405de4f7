import { type Static, Type } from 'typebox';
import { scrape } from '../metrics.ts';
import { Problem } from '../problem.ts';
import { figure, instance, latency, nullable, operators, timestamp } from './common.ts';

/** Rates and percentiles of the last minute, and everything else as it is now. */
export const ProcessFigures = Type.Object(
  {
    at: timestamp,
    requestsPerSecond: Type.Number(),
    /** Share of responses with status 500 or more, shed requests included. A probe that answers 503 is not an error. */
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
      size: Type.Integer({ description: 'Maximum number of connections' }),
      open: Type.Integer(),
      idle: Type.Integer(),
      waiting: Type.Integer(),
      acquireP95Ms: figure('Wait for a connection, 95th percentile'),
    }),
    queryP95Ms: figure('Duration of queries, 95th percentile'),
    refused: Type.Object({
      rateLimited: Type.Integer({ description: 'Since the start, as the other' }),
      shed: Type.Integer(),
    }),
  },
  { $id: 'ProcessFigures', title: 'ProcessFigures' },
);
export type ProcessFigures = Static<typeof ProcessFigures>;

/** Which process this is, whether it is ready, and its figures. */
export const ProcessStatus = Type.Intersect([
  Type.Object({
    instance,
    state: Type.String({ description: 'starting, migrating, ready, draining or stopped' }),
    ready: Type.Boolean({ description: 'As /ready says' }),
    since: Type.String({
      format: 'date-time',
      description: 'When `ready` last changed; the start of the process if it never did',
    }),
    problem: Type.Optional(Type.String({ description: 'Why it is not ready. Contains no internals' })),
  }),
  ProcessFigures,
]);
export type ProcessStatus = Static<typeof ProcessStatus>;

export const readFigures = {
  method: 'GET',
  url: '/api/monitoring/metrics',
  schema: {
    summary: 'Status and figures of this process',
    response: { 200: ProcessStatus, ...operators, 404: Problem },
  },
} as const;

/** The text of `/metrics`, under the path of monitoring. */
export const readPrometheus = {
  method: 'GET',
  url: '/api/monitoring/metrics/prometheus',
  schema: { ...scrape.schema, summary: 'The same metrics as /metrics' },
} as const;

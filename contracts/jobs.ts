import { type Static, Type } from 'typebox';
import { Problem } from './problem.ts';
import { moment, orNull } from './values.ts';

const name = Type.String({ pattern: '^[a-z][a-z0-9-]*$', maxLength: 100 });
const operators = { 401: Problem, 503: Problem } as const;

/** Jobs of one name, over all processes. */
export const JobQueue = Type.Object(
  {
    name: Type.String(),
    paused: Type.Boolean(),
    waiting: Type.Integer({ description: 'Due, and taken by no worker' }),
    scheduled: Type.Integer({ description: 'Due later, those that are tried again among them' }),
    running: Type.Integer(),
    dead: Type.Integer(),
    oldestSeconds: Type.Number({ description: 'How long the oldest has been due' }),
    longestSeconds: Type.Number({ description: 'How long the longest has run' }),
    schedule: orNull(Type.Object({ cron: Type.String(), timeZone: Type.String(), nextAt: orNull(moment) })),
  },
  { $id: 'JobQueue', title: 'JobQueue' },
);
export type JobQueue = Static<typeof JobQueue>;

const JobState = Type.Union([
  Type.Literal('waiting'),
  Type.Literal('running'),
  Type.Literal('done'),
  Type.Literal('cancelled'),
  Type.Literal('dead'),
]);
export type JobState = Static<typeof JobState>;

/** One job. Secrets in its input are redacted as in the log. */
export const JobView = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: Type.String(),
    state: JobState,
    attempts: Type.Integer({ description: 'Begun so far' }),
    maxAttempts: Type.Integer(),
    priority: Type.Integer(),
    key: orNull(Type.String()),
    createdAt: moment,
    dueAt: moment,
    startedAt: orNull(moment),
    endedAt: orNull(moment),
    progress: orNull(
      Type.Object({
        done: Type.Number(),
        total: Type.Optional(Type.Number()),
        note: Type.Optional(Type.String()),
      }),
    ),
    error: orNull(Type.String({ description: 'Of the last attempt that failed' })),
    requestId: orNull(Type.String()),
    userId: orNull(Type.String()),
    input: Type.Unknown({
      description: 'A note instead where it is large: over 16 KB in a list, 256 KB alone',
    }),
  },
  { $id: 'JobView', title: 'JobView' },
);
export type JobView = Static<typeof JobView>;

const Jobs = Type.Object(
  {
    instance: Type.String(),
    runsHere: Type.Boolean({ description: 'Whether this process runs jobs' }),
    queues: Type.Array(JobQueue),
  },
  { $id: 'Jobs', title: 'Jobs' },
);
export type Jobs = Static<typeof Jobs>;

export const listQueues = {
  method: 'GET',
  url: '/api/monitoring/jobs',
  schema: { summary: 'Queues of jobs, and what is in them', response: { 200: Jobs, ...operators } },
} as const;

export const listJobs = {
  method: 'GET',
  url: '/api/monitoring/jobs/list',
  schema: {
    summary: 'Jobs in one state: the next that is due first, or the last that ended',
    querystring: Type.Object({
      state: Type.Optional(JobState),
      name: Type.Optional(name),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    }),
    response: { 200: Type.Object({ items: Type.Array(JobView) }), 400: Problem, ...operators },
  },
} as const;

const OneQueue = { params: Type.Object({ name }) } as const;
const OneJob = { params: Type.Object({ name, id: Type.String({ format: 'uuid' }) }) } as const;
const changed = { 204: Type.Null(), 400: Problem, 404: Problem, 409: Problem, ...operators } as const;

export const pauseQueue = {
  method: 'POST',
  url: '/api/monitoring/jobs/:name/pause',
  schema: { summary: 'Begin no more jobs of this name, in any process', ...OneQueue, response: changed },
} as const;

export const resumeQueue = {
  method: 'POST',
  url: '/api/monitoring/jobs/:name/resume',
  schema: { summary: 'Go on with jobs of this name', ...OneQueue, response: changed },
} as const;

export const readJob = {
  method: 'GET',
  url: '/api/monitoring/jobs/:name/:id',
  schema: {
    summary: 'One job',
    ...OneJob,
    response: { 200: JobView, 400: Problem, 404: Problem, ...operators },
  },
} as const;

export const cancelJob = {
  method: 'POST',
  url: '/api/monitoring/jobs/:name/:id/cancel',
  schema: {
    summary: 'Cancel a job that has not ended; a running job receives its abort signal, in whichever process',
    ...OneJob,
    response: changed,
  },
} as const;

export const retryJob = {
  method: 'POST',
  url: '/api/monitoring/jobs/:name/:id/retry',
  schema: { summary: 'Try a dead job once more', ...OneJob, response: changed },
} as const;

export const discardJob = {
  method: 'DELETE',
  url: '/api/monitoring/jobs/:name/:id',
  schema: { summary: 'Delete a job that has ended', ...OneJob, response: changed },
} as const;

export const tickJobs = {
  method: 'POST',
  url: '/api/jobs/tick',
  schema: {
    summary: 'Run what is due, for an outside scheduler that wakes a server which has stopped',
    response: {
      200: Type.Object({
        idle: Type.Boolean({ description: 'False where something still runs: call again' }),
        running: Type.Integer(),
      }),
      409: Problem,
      ...operators,
    },
  },
} as const;

const Sync = Type.Object(
  {
    job: Type.String(),
    service: Type.String(),
    lastSuccessAt: orNull(moment),
    lagSeconds: orNull(Type.Number({ description: 'Since the last success' })),
    failures: Type.Integer({ description: 'Since the last success' }),
    lastFailureAt: orNull(moment),
    lastError: orNull(Type.String()),
  },
  { $id: 'Sync', title: 'Sync' },
);

export const syncHealth = {
  method: 'GET',
  url: '/api/sync/health',
  schema: {
    summary: 'Jobs that pull from other services: how far behind, and how often they failed',
    response: { 200: Type.Object({ syncs: Type.Array(Sync) }), ...operators },
  },
} as const;

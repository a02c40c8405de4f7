import { type Static, Type } from 'typebox';

/**
 * The responses of the probes. Machines read the status; the bodies are for people.
 */

const timestamp = Type.String({ format: 'date-time' });
const state = Type.String({ description: 'starting, migrating, ready, draining or stopped' });

export const Live = Type.Object(
  {
    alive: Type.Literal(true),
    timestamp,
    pid: Type.Integer(),
    uptime: Type.Number({ description: 'Seconds since the process began' }),
  },
  { $id: 'Live', title: 'Live' },
);
export type Live = Static<typeof Live>;

export const Startup = Type.Object(
  { started: Type.Boolean({ description: 'True once start-up has finished, ever after' }), state, timestamp },
  { $id: 'Startup', title: 'Startup' },
);
export type Startup = Static<typeof Startup>;

export const Ready = Type.Object(
  {
    ready: Type.Boolean(),
    error: Type.Optional(Type.String({ description: 'Why not' })),
    state: Type.Optional(state),
    timestamp,
  },
  { $id: 'Ready', title: 'Ready' },
);
export type Ready = Static<typeof Ready>;

export const Health = Type.Object(
  {
    status: Type.Union([Type.Literal('healthy'), Type.Literal('degraded'), Type.Literal('unhealthy')]),
    error: Type.Optional(Type.String({ description: 'Why it is unhealthy' })),
    state,
    timestamp,
    version: Type.String(),
    environment: Type.String(),
    uptime: Type.Number({ description: 'Seconds since the process began' }),
    checks: Type.Record(
      Type.String(),
      Type.Object({
        status: Type.String(),
        required: Type.Boolean({ description: 'Whether /ready depends on it' }),
        durationMs: Type.Number(),
        error: Type.Optional(Type.String()),
        unhealthy: Type.Optional(
          Type.Boolean({ description: 'By this failure alone /health is 503, although the server is ready' }),
        ),
        details: Type.Optional(
          Type.Record(Type.String(), Type.Number(), { description: 'Figures, with their unit in the name' }),
        ),
      }),
      { description: 'Every check, by name' },
    ),
    memory: Type.Object({
      rss: Type.Integer({ description: 'Bytes, as the others' }),
      heapTotal: Type.Integer(),
      heapUsed: Type.Integer(),
      external: Type.Integer(),
    }),
  },
  { $id: 'Health', title: 'Health' },
);
export type Health = Static<typeof Health>;

export const getLive = {
  method: 'GET',
  url: '/live',
  schema: { summary: 'The process can answer at all', response: { 200: Live } },
} as const;

export const getReady = {
  method: 'GET',
  url: '/ready',
  schema: {
    summary: 'Traffic may be sent here: every migration is applied, every required check passes',
    response: { 200: Ready, 503: Ready },
  },
} as const;

export const getHealth = {
  method: 'GET',
  url: '/health',
  schema: { summary: 'Every check by name, version, uptime, memory', response: { 200: Health, 503: Health } },
} as const;

export const getStartup = {
  method: 'GET',
  url: '/startup',
  schema: { summary: 'Start-up has finished once', response: { 200: Startup, 503: Startup } },
} as const;

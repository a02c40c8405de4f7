import { type Static, Type } from 'typebox';

/** Where the process stands in its life. `not ready` is not among them: a ready process may have a failing check. */
const STATES = ['starting', 'migrating', 'ready', 'draining', 'stopped'] as const;
export const LifecycleState = Type.Unsafe<(typeof STATES)[number]>({ type: 'string', enum: STATES });
export type LifecycleState = Static<typeof LifecycleState>;

const STEP_STATES = ['pending', 'running', 'done', 'failed'] as const;
/** One piece of start-up work. Times are milliseconds since the process was created. */
export const StartupStep = Type.Object({
  step: Type.String({ description: 'port, configuration, application, database, migrations, …' }),
  status: Type.Unsafe<(typeof STEP_STATES)[number]>({ type: 'string', enum: STEP_STATES }),
  startedAtMs: Type.Unsafe<number | null>({ type: ['number', 'null'], description: 'Null while pending' }),
  durationMs: Type.Optional(Type.Number({ description: 'Present once done or failed' })),
  note: Type.Optional(Type.String({ description: 'What the step did, as "2 applied"' })),
});
export type StartupStep = Static<typeof StartupStep>;

/** What anyone may know about this process: needs no database, is never held. */
export const Status = Type.Object(
  {
    name: Type.String(),
    version: Type.String(),
    state: LifecycleState,
    problem: Type.Optional(
      Type.String({ description: 'Why the process is not ready, in words for a stranger' }),
    ),
    startup: Type.Array(StartupStep),
    development: Type.Optional(
      Type.Literal(true, { description: 'This is development, where operators are at home' }),
    ),
  },
  { $id: 'Status', title: 'Status' },
);
export type Status = Static<typeof Status>;

export const getStatus = {
  method: 'GET',
  url: '/api/status',
  schema: { summary: 'What this server did to become ready', response: { 200: Status } },
} as const;

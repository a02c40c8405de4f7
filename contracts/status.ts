import { type Static, Type } from 'typebox';

/** The states of the process, in their order. A process in state `ready` may have a failing check, and then answers 503 on `/ready`. */
export const STATES = ['starting', 'migrating', 'ready', 'draining', 'stopped'] as const;
export const LifecycleState = Type.Unsafe<(typeof STATES)[number]>({ type: 'string', enum: STATES });
export type LifecycleState = Static<typeof LifecycleState>;

const STEP_STATES = ['pending', 'running', 'done', 'failed'] as const;
/** One step of the start. Times are milliseconds since the process was created. */
export const StartupStep = Type.Object({
  step: Type.String({ description: 'port, configuration, application, database, migrations, …' }),
  status: Type.Unsafe<(typeof STEP_STATES)[number]>({ type: 'string', enum: STEP_STATES }),
  startedAtMs: Type.Unsafe<number | null>({ type: ['number', 'null'], description: 'Null while pending' }),
  durationMs: Type.Optional(Type.Number({ description: 'Present once done or failed' })),
  note: Type.Optional(Type.String({ description: 'Result of the step, such as "2 applied"' })),
});
export type StartupStep = Static<typeof StartupStep>;

/** Public status of this process. It needs no database and is never held. */
export const Status = Type.Object(
  {
    name: Type.String(),
    version: Type.String(),
    state: LifecycleState,
    problem: Type.Optional(
      Type.String({ description: 'Why the process is not ready. Contains no internals' }),
    ),
    startup: Type.Array(StartupStep),
    development: Type.Optional(
      Type.Union([Type.Literal('here'), Type.Literal('elsewhere')], {
        description: 'This is development, and whether the client is on the machine of the server',
      }),
    ),
    operator: Type.Optional(
      Type.Literal(true, { description: 'An operator is signed in with a key in this browser' }),
    ),
  },
  { $id: 'Status', title: 'Status' },
);
export type Status = Static<typeof Status>;

export const getStatus = {
  method: 'GET',
  url: '/api/status',
  schema: { summary: 'The state and the steps of the start', response: { 200: Status } },
} as const;

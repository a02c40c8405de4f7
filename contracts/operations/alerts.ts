import { type Static, Type } from 'typebox';
import { Problem } from '../problem.ts';
import { figure, instance, nullable, operators, timestamp } from './common.ts';

export const Alert = Type.Object(
  {
    name: Type.String({ description: 'Such as `high-error-rate`' }),
    summary: Type.String({
      description: 'For people, such as `More than 5% of all responses are server errors`',
    }),
    severity: Type.Union([Type.Literal('warning'), Type.Literal('critical')]),
    state: Type.Union([
      Type.Literal('ok'),
      Type.Literal('pending'),
      Type.Literal('firing'),
      Type.Literal('resolved'),
    ]),
    since: nullable(timestamp),
    value: figure('The figure at the last look'),
    threshold: Type.Number(),
    unit: Type.String({ description: 'Of both: `%`, `ms`, `connections`, …' }),
    forSeconds: Type.Number({ description: 'How long the fault must last before the alert fires' }),
    runbook: Type.String({ description: 'Section of docs/runbook.md, such as `#high-error-rate`' }),
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

export const NewSilence = Type.Object(
  {
    alert: Type.String({ minLength: 1, maxLength: 100 }),
    comment: Type.String({ minLength: 1, maxLength: 500, pattern: '^[^\\u0000]*$' }),
    minutes: Type.Integer({ minimum: 1, maximum: 7 * 24 * 60 }),
  },
  { additionalProperties: false },
);
export type NewSilence = Static<typeof NewSilence>;

export const listAlerts = {
  method: 'GET',
  url: '/api/monitoring/alerts',
  schema: {
    summary: 'Every alert and its state, firing ones first',
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
    summary: 'Silence one alert, or all of them, for some time',
    body: NewSilence,
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

import { type Static, Type } from 'typebox';
import { Problem } from '../problem.ts';
import { instance, nullable, operators } from './common.ts';

/** One setting with its current value. */
export const ConfigEntry = Type.Object({
  name: Type.String(),
  group: Type.String(),
  value: nullable(Type.String({ description: 'Current value, secrets masked; null if unset' })),
  origin: Type.String({ description: 'environment, file, default, computed, …' }),
  doc: Type.String(),
});
export type ConfigEntry = Static<typeof ConfigEntry>;

export const ReadinessItem = Type.Object({
  name: Type.String({ description: 'Such as `operators-key`' }),
  title: Type.String(),
  status: Type.Union([Type.Literal('pass'), Type.Literal('warn'), Type.Literal('fail')]),
  detail: Type.String({ description: 'The result' }),
  remedy: Type.Optional(Type.String({ description: 'What to do; absent if it passes' })),
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

export const readConfig = {
  method: 'GET',
  url: '/api/monitoring/config',
  schema: {
    summary: 'Every setting with its current value and origin',
    response: { 200: Type.Object({ instance, settings: Type.Array(ConfigEntry) }), ...operators },
  },
} as const;

export const readProductionReadiness = {
  method: 'GET',
  url: '/api/monitoring/production-readiness',
  schema: {
    summary: 'Production readiness: what is missing, with remedies',
    response: { 200: ProductionReadiness, ...operators },
  },
} as const;

/** Responds with a `.cpuprofile` for browser developer tools. */
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

import { type Static, Type } from 'typebox';
import { Problem } from '../problem.ts';
import { instance, nullable, operators } from './common.ts';

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

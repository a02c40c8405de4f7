import { type TSchema, Type } from 'typebox';
import { Problem } from '../problem.ts';

/** Every response names its instance: behind a load balancer, consecutive responses come from different replicas. */
export const instance = Type.String({ description: 'The process that answers, such as `host-1f3a9c`' });
export const timestamp = Type.String({ format: 'date-time' });
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
/** Null if nothing was measured, for example because no request came. */
export const figure = (description: string) => nullable(Type.Number({ description }));
/** Responses that every route for operators may send. */
export const operators = { 401: Problem } as const;
export const latency = {
  p50Ms: figure('Median duration in milliseconds'),
  p90Ms: figure('90th percentile'),
  p95Ms: figure('95th percentile'),
  p99Ms: figure('99th percentile'),
};

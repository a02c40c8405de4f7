import { type Static, Type } from 'typebox';
import { Problem } from './problem.ts';

/** One service that this process calls. Each process judges for itself. */
export const Dependency = Type.Object(
  {
    name: Type.String(),
    state: Type.Union(
      [Type.Literal('closed'), Type.Literal('open'), Type.Literal('half-open'), Type.Literal('isolated')],
      { description: 'Of the circuit breaker: a service that is open or isolated is not called' },
    ),
    running: Type.Integer(),
    waiting: Type.Integer(),
    limits: Type.Object({
      concurrency: Type.Integer(),
      queue: Type.Integer(),
      retries: Type.Integer(),
      timeoutMs: Type.Integer(),
    }),
    calls: Type.Record(Type.String(), Type.Integer(), { description: 'Since the start, by outcome' }),
    retries: Type.Integer(),
    lastError: Type.Union([
      Type.Object({ message: Type.String(), at: Type.String({ format: 'date-time' }) }),
      Type.Null(),
    ]),
  },
  { $id: 'Dependency', title: 'Dependency' },
);
export type Dependency = Static<typeof Dependency>;

const Dependencies = Type.Object(
  { instance: Type.String(), dependencies: Type.Array(Dependency) },
  { $id: 'Dependencies', title: 'Dependencies' },
);
const Params = Type.Object({ name: Type.String({ minLength: 1, maxLength: 100 }) });

export const listDependencies = {
  method: 'GET',
  url: '/api/monitoring/dependencies',
  schema: {
    summary: 'The services that this process has called, and their circuit breakers',
    response: { 200: Dependencies, 401: Problem },
  },
} as const;

export const resetDependency = {
  method: 'POST',
  url: '/api/monitoring/dependencies/:name/reset',
  schema: {
    summary: 'Close the circuit breaker of this process: call the service again',
    params: Params,
    response: { 200: Dependency, 401: Problem, 404: Problem },
  },
} as const;

export const isolateDependency = {
  method: 'POST',
  url: '/api/monitoring/dependencies/:name/isolate',
  schema: {
    summary: 'Do not call the service from this process until its circuit breaker is reset',
    params: Params,
    response: { 200: Dependency, 401: Problem, 404: Problem },
  },
} as const;

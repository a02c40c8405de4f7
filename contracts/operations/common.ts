import { type TSchema, Type } from 'typebox';
import { Problem } from '../problem.ts';

/** Every answer names its instance, because replicas behind one address answer in turns, and figures of two make no chart. */
export const instance = Type.String({ description: 'The process that answers, as `host-1f3a9c`' });
export const timestamp = Type.String({ format: 'date-time' });
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
/** A figure that is null where nothing was measured: no request came. */
export const figure = (description: string) => nullable(Type.Number({ description }));
/** What every route for operators may answer. */
export const operators = { 401: Problem } as const;

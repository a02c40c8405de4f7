import { Type } from 'typebox';

export const moment = Type.String({ format: 'date-time' });
export const orNull = <Schema extends Parameters<typeof Type.Optional>[0]>(schema: Schema) =>
  Type.Union([schema, Type.Null()]);

import { Ajv, type Options } from 'ajv';
import type { FastifySchemaCompiler } from 'fastify';

const OPTIONS: Options = { allErrors: false, useDefaults: true, removeAdditional: false, strict: false };

/** Everything in an address or a header is text, so numbers are read from it. */
const lenient = new Ajv({ ...OPTIONS, coerceTypes: 'array' });
/** JSON has types of its own: `"5"` is not a number, and a list of one is not its element. */
const strict = new Ajv(OPTIONS);

/** Compiles a route's schema; bodies are taken at their word, everything else is converted from text. */
export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) =>
  (httpPart === 'body' ? strict : lenient).compile(schema);

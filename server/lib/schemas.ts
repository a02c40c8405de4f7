import { Ajv, type Options } from 'ajv';
import fastJson from 'fast-json-stringify';
import type { FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify';

/**
 * `validateSchema` and `meta` are off because checking our own schemas against JSON Schema's cost more than a third of
 * the start (60 of 160 ms); a test checks them instead.
 */
const OPTIONS: Options = {
  allErrors: false,
  useDefaults: true,
  removeAdditional: false,
  strict: false,
  validateSchema: false,
  meta: false,
};

/** Everything in an address or a header is text, so numbers are read from it. */
const lenient = new Ajv({ ...OPTIONS, coerceTypes: 'array' });
/** JSON has types of its own: `"5"` is not a number, and a list of one is not its element. */
const strict = new Ajv(OPTIONS);

/** Compiles what a route accepts; bodies are taken at their word, everything else is converted from text. */
export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) =>
  (httpPart === 'body' ? strict : lenient).compile(schema);

/**
 * Compiles how a route answers.
 *
 * Problems are few and all alike, and the plugin that sends them serialises them itself: their schemas stand on the
 * routes for the description alone.
 */
export const serializerCompiler: FastifySerializerCompiler<object> = ({ schema, httpStatus }) =>
  Number(httpStatus) >= 400 ? JSON.stringify : (fastJson as unknown as typeof fastJson.default)(schema);

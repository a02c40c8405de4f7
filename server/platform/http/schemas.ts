import { Ajv, type ErrorObject, type Options } from 'ajv';
import fastJson from 'fast-json-stringify';
import type { FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify';
import Format from 'typebox/format';

/**
 * TypeBox's, which take linear time; some of ajv-formats do not (`url`). The last two are OpenAPI's annotations, which every
 * text satisfies.
 */
const FORMATS: NonNullable<Options['formats']> = {
  ...Object.fromEntries(Format.Entries()),
  // Without the time zone in brackets of RFC 9557, which neither `Date` nor PostgreSQL reads.
  'date-time': (text: string) => !text.includes('[') && Format.IsDateTime(text),
  password: true,
  binary: true,
};

/**
 * `validateSchema` and `meta` are off because checking our own schemas took more than a third of the start (60 of 160 ms); a
 * test checks them instead.
 */
const OPTIONS: Options = {
  allErrors: false,
  useDefaults: true,
  removeAdditional: false,
  strict: false,
  validateSchema: false,
  meta: false,
  formats: FORMATS,
};

/** Addresses and headers are text, so numbers are converted. */
const lenient = new Ajv({ ...OPTIONS, coerceTypes: 'array' });
/** JSON has types of its own: `"5"` is not a number, and a list of one is not its element. */
const strict = new Ajv(OPTIONS);

type Check = { (data: unknown): boolean; errors?: ErrorObject[] | null | undefined };

/** Compiles the schemas of routes, each when it is first needed: most are not for hours. */
export class SchemaCompilers {
  /** What is not compiled yet, with its name. */
  readonly #pending = new Map<() => unknown, string>();

  /** Compiles what a route accepts. Bodies are not converted; everything else is converted from text. */
  readonly validator: FastifySchemaCompiler<object> = ({ schema, httpPart, method, url }) => {
    let check: Check | undefined;
    const name = `${httpPart} of ${method} ${url}`;
    refuseUnknownFormats(schema, name);
    const compile = this.#later(name, () => {
      check = (httpPart === 'body' ? strict : lenient).compile(schema);
      return check;
    });
    const validate: Check = (data) => {
      const run = check ?? compile();
      const valid = run(data);
      // Fastify reads them from the function that it has called.
      if (!valid) validate.errors = run.errors;
      return valid;
    };
    return validate;
  };

  /**
   * Compiles how a route answers.
   *
   * The schemas of problems are for the API description alone: the plugin that sends problems serialises them itself.
   */
  readonly serializer: FastifySerializerCompiler<object> = ({ schema, httpStatus, method, url }) => {
    if (Number(httpStatus) >= 400) return JSON.stringify;
    let write: ((data: unknown) => string) | undefined;
    const name = `answer ${httpStatus} of ${method} ${url}`;
    refuseUnknownFormats(schema, name);
    const compile = this.#later(name, () => {
      write = (fastJson as unknown as typeof fastJson.default)(schema);
      return write;
    });
    return (data) => (write ?? compile())(data);
  };

  /**
   * Compiles the rest: a test's, so that no request is the first to find a schema that cannot be compiled.
   *
   * @throws Error that names the route whose schema cannot be compiled.
   */
  compileAll(): void {
    for (const [compile, name] of this.#pending) {
      try {
        compile();
      } catch (cause) {
        throw new Error(`The schema for the ${name} cannot be compiled: ${(cause as Error).message}`, {
          cause,
        });
      }
    }
  }

  #later<Compiled>(name: string, compile: () => Compiled): () => Compiled {
    const once = () => {
      const compiled = compile();
      this.#pending.delete(once);
      return compiled;
    };
    this.#pending.set(once, name);
    return once;
  }
}

/** Keywords that hold schemas by name, and those that hold values. */
const NAMED = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions']);
const VALUES = new Set(['default', 'const', 'enum', 'examples', 'example']);

/**
 * Ajv ignores an unknown format, so a typing mistake would let every text pass.
 *
 * @param name Of the schema.
 * @throws Error that names the place in the schema and the format.
 */
function refuseUnknownFormats(schema: unknown, name: string, at = '#'): void {
  if (typeof schema !== 'object' || schema === null) return;
  const { format, type } = schema as { format?: unknown; type?: unknown };
  // Numbers have formats of OpenAPI's own, such as int64.
  if (
    typeof format === 'string' &&
    type !== 'integer' &&
    type !== 'number' &&
    !Object.hasOwn(FORMATS, format)
  ) {
    throw new Error(
      `The schema for the ${name} has at ${at} the format "${format}", which is unknown. ` +
        `Known formats: ${Object.keys(FORMATS).join(', ')}. Use one of those, or a pattern.`,
    );
  }
  for (const [key, value] of Object.entries(schema)) {
    if (VALUES.has(key)) continue;
    const inside = NAMED.has(key) && typeof value === 'object' ? Object.entries(value as object) : undefined;
    if (inside === undefined) refuseUnknownFormats(value, name, `${at}/${key}`);
    else for (const [part, one] of inside) refuseUnknownFormats(one, name, `${at}/${key}/${part}`);
  }
}

/**
 * Compiles a check of JSON that comes by no request, such as a job's input. Defaults of the schema are filled in.
 *
 * @param name Whose schema it is, for errors.
 * @returns Tells what is wrong with a value; undefined where it is valid.
 * @throws Error where the schema names an unknown format.
 */
export function compileCheck(schema: object, name: string): (data: unknown) => string | undefined {
  const check = compileFault(schema, name);
  return (data) => {
    const fault = check(data);
    return fault && strict.errorsText([fault], { dataVar: name });
  };
}

/** As `compileCheck`. @returns Tells the first fault of a value; its place is `instancePath`. */
export function compileFault(schema: object, name: string): (data: unknown) => ErrorObject | undefined {
  refuseUnknownFormats(schema, name);
  const check = strict.compile(schema);
  return (data) => (check(data) ? undefined : check.errors?.[0]);
}

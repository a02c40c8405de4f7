import { STATUS_CODES } from 'node:http';
import { Problem as ProblemSchema } from '#contracts/problem.ts';
import type { AccessLevel } from '../access/access.ts';

/** A JSON Schema, which is what OpenAPI 3.1 has for schemas, and TypeBox makes. */
export interface Schema {
  $id?: string;
  $ref?: string;
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  const?: unknown;
  additionalProperties?: boolean | Schema;
  patternProperties?: Record<string, Schema>;
  [keyword: string]: unknown;
}

const Problem = ProblemSchema as unknown as Schema;

/** What a registered route tells about itself. */
export interface DescribedRoute {
  method: string;
  url: string;
  access: AccessLevel | undefined;
  /** Whether it may be limited, held and shed: everything of the API but the probes. */
  guarded: boolean;
  schema: {
    summary?: string;
    description?: string;
    params?: Schema;
    querystring?: Schema;
    headers?: Schema;
    body?: Schema;
    response?: Record<string, Schema & { content?: Record<string, { schema: Schema }> }>;
  };
}

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  description?: string;
  schema: Schema;
}

export interface Operation {
  operationId: string;
  tags: string[];
  summary?: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { required: true; content: Record<string, { schema: Schema }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: Schema }> }>;
  security?: Record<string, string[]>[];
}

export interface OpenApi {
  openapi: '3.1.0';
  info: { title: string; version: string; description: string };
  servers: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes: Record<string, object> };
}

const ABOUT = `Errors are problem documents (RFC 9457): \`type\` is stable and for programs, \`detail\` is for people, and
\`requestId\` is what to quote to an operator. The same id stands in \`X-Request-Id\`. An answer with \`Retry-After\` may be
asked for again after that many seconds.`;

/** What a route may answer, whether it says so itself or not, in the words of whoever meets it. */
const REFUSALS: [status: number, when: (route: DescribedRoute) => boolean, description: string][] = [
  [400, () => false, 'The request is not valid; `errors` says where'],
  [401, ({ access }) => access !== 'public', 'Nobody is signed in, or the key is not valid'],
  [
    403,
    ({ method }) => !['GET', 'HEAD'].includes(method),
    'A page of another site may not write with cookies',
  ],
  [404, () => false, 'There is none'],
  [412, () => false, 'It has been changed since; read it again'],
  [413, ({ schema }) => schema.body !== undefined, 'The body is too large'],
  [415, ({ schema }) => schema.body !== undefined, 'The body is not JSON'],
  [428, () => false, 'Send If-Match with the ETag of what was read'],
  [429, ({ guarded }) => guarded, 'Too many requests; Retry-After says when to come again'],
  [500, () => true, 'Something failed here; the log has the cause under the request id'],
  [503, ({ guarded }) => guarded, 'Not available right now; Retry-After says when to come again'],
];

/**
 * Describes routes as an OpenAPI 3.1 document.
 *
 * Schemas with an `$id` are stated once, under `components`, and referred to from then on.
 *
 * @param routes In the order in which they shall stand.
 */
export function describeApi(
  routes: readonly DescribedRoute[],
  about: { title: string; version: string },
): OpenApi {
  const schemas: Record<string, Schema> = {};
  const paths: OpenApi['paths'] = {};
  const refer = (schema: Schema) => referTo(schema, schemas);
  for (const route of routes) {
    const path = route.url.replace(/:(\w+)/g, '{$1}');
    const operations = paths[path] ?? {};
    paths[path] = operations;
    operations[route.method.toLowerCase()] = operationOf(route, path, refer);
  }
  return {
    openapi: '3.1.0',
    info: { ...about, description: ABOUT.replaceAll('\n', ' ') },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: "The operators' key, INTERNAL_API_KEY" },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The same key' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Secure-operator',
          description: 'A session that the key was exchanged for; without TLS its name is `operator`',
        },
      },
    },
  };
}

function operationOf(route: DescribedRoute, path: string, refer: (schema: Schema) => Schema): Operation {
  const { method, schema } = route;
  const parameters = [
    ...parametersOf('path', schema.params, refer),
    ...parametersOf('query', schema.querystring, refer),
    ...parametersOf('header', schema.headers, refer),
  ];
  const words = path.split('/').filter(Boolean);
  return {
    operationId: [method.toLowerCase(), ...words.map((word) => word.replace(/\W/g, ' ').trim())]
      .join(' ')
      .replace(/ +(.)/g, (_, letter: string) => letter.toUpperCase()),
    tags: [tagOf(words)],
    ...(schema.summary ? { summary: schema.summary } : {}),
    ...(schema.description ? { description: schema.description } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(schema.body
      ? { requestBody: { required: true, content: { 'application/json': { schema: refer(schema.body) } } } }
      : {}),
    responses: answersOf(route, refer),
    ...(route.access === 'operator' ? { security: [{ bearer: [] }, { apiKey: [] }, { session: [] }] } : {}),
  };
}

function tagOf([first, second = 'api']: string[]): string {
  if (first !== 'api') return 'probes';
  return second === 'docs' || second === 'openapi.json' ? 'description' : second;
}

function parametersOf(place: Parameter['in'], object: Schema | undefined, refer: (schema: Schema) => Schema) {
  return Object.entries(object?.properties ?? {}).map(([name, schema]): Parameter => {
    const { description, ...rest } = refer(schema);
    const required = place === 'path' || (object?.required?.includes(name) ?? false);
    return { name, in: place, required, ...(description ? { description } : {}), schema: rest };
  });
}

function answersOf(route: DescribedRoute, refer: (schema: Schema) => Schema): Operation['responses'] {
  const problem = { 'application/problem+json': { schema: refer(Problem) } };
  const answers: Operation['responses'] = {};
  for (const [status, , description] of REFUSALS.filter(([, when]) => when(route))) {
    answers[status] = { description, content: problem };
  }
  for (const [status, schema] of Object.entries(route.schema.response ?? {})) {
    const refusal = REFUSALS.find(([one]) => String(one) === status)?.[2];
    const description = schema.description ?? refusal ?? STATUS_CODES[status] ?? status;
    if (schema.content) {
      const content = Object.entries(schema.content).map(([type, one]) => [
        type,
        { schema: refer(one.schema) },
      ]);
      answers[status] = { description, content: Object.fromEntries(content) };
    } else if (schema.type === 'null') answers[status] = { description };
    else if (schema.$id === Problem.$id) answers[status] = { description, content: problem };
    else answers[status] = { description, content: { 'application/json': { schema: refer(schema) } } };
  }
  answers.default = { description: 'Any other refusal, such as 405, 414 or 431', content: problem };
  return answers;
}

/** A copy in which whatever has an `$id` is a reference to what is put into `known`. */
function referTo(schema: Schema, known: Record<string, Schema>): Schema {
  const copy = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(copy);
    if (typeof value !== 'object' || value === null) return value;
    const { $id: id, ...rest } = value as Schema;
    const copied = Object.fromEntries(
      Object.entries(rest)
        // TypeBox's own notes are not JSON Schema.
        .filter(([key]) => !key.startsWith('~'))
        .map(([key, one]) => [key, copy(one)]),
    );
    if (typeof id !== 'string') return copied;
    known[id] ??= copied;
    return { $ref: `#/components/schemas/${id}` };
  };
  return copy(schema) as Schema;
}

import { STATUS_CODES } from 'node:http';
import type { FastifySchema, RouteOptions } from 'fastify';
import { Problem } from '#contracts/problem.ts';
import { isWriteMethod } from '../../lib/write-method.ts';
import type { Identity } from '../../parts.ts';
import type { AccessLevel } from '../access/access.ts';
import { PROBE_PATHS } from '../probes.ts';

/** The ways in which an operator identifies. */
export const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: "The operators' key, INTERNAL_API_KEY" },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The same key' },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: '__Secure-operator',
    description: 'A session that the key was exchanged for; without TLS its name is `operator`',
  },
} as const;

const PROBLEM = { 'application/problem+json': { schema: Problem } };

/** What a route may answer besides what its schema says. Statuses without a condition are described where a schema has them. */
const REFUSALS: Record<number, { description: string; when?: (route: RouteOptions) => boolean }> = {
  400: { description: 'The request is not valid; `errors` says where' },
  401: {
    description: 'Not signed in, or the key is not valid',
    when: ({ config }) => config?.access !== 'public',
  },
  403: {
    description: 'Not allowed; or a page of another site, which may not write with cookies',
    when: ({ method, config }) => isWriteMethod(String(method)) || typeof config?.access === 'object',
  },
  404: { description: 'Not found' },
  412: { description: 'It has been changed since; read it again' },
  413: { description: 'Content too large', when: ({ schema }) => schema?.body !== undefined },
  415: { description: 'The body is not JSON', when: ({ schema }) => schema?.body !== undefined },
  428: { description: 'Send If-Match with the ETag of what was read' },
  429: { description: 'Too many requests; Retry-After says when to try again', when: isGuarded },
  500: { description: 'Internal error; the log has the cause under the request id', when: () => true },
  503: { description: 'Service unavailable; Retry-After says when to try again', when: isGuarded },
};

/** Everything but the probes may be limited, held or refused under load. */
function isGuarded({ url }: RouteOptions): boolean {
  return !PROBE_PATHS.has(url);
}

/** Schemas with an `$id`, by it: the document states each once, under `components`. */
export type SharedSchemas = Record<string, object>;

/**
 * Completes a route's schema for `@fastify/swagger`: its id, its tag, who may call it, and the problems it may answer with.
 * Routes without a described answer, such as files, are hidden.
 *
 * @param shared Gets the schemas that the result refers to.
 * @param userSchemes How users identify.
 */
export function describeRoute(
  schema: FastifySchema | undefined,
  route: RouteOptions,
  shared: SharedSchemas,
  userSchemes: Identity['securitySchemes'] = {},
): FastifySchema {
  if (schema?.response === undefined) return { hide: true };
  const words = route.url.split('/').filter(Boolean);
  const refusals = Object.entries(REFUSALS)
    .filter(([, { when }]) => when?.(route))
    .map(([status, { description }]) => [status, { description, content: PROBLEM }]);
  const answers = Object.entries(schema.response as Record<string, Answer>).map(([status, answer]) => [
    status,
    describeAnswer(Number(status), answer),
  ]);
  return {
    ...schema,
    operationId: [String(route.method).toLowerCase(), ...words.map((word) => word.replace(/\W/g, ' ').trim())]
      .join(' ')
      .replace(/ +(.)/g, (_, letter: string) => letter.toUpperCase()),
    tags: schema.tags ?? [tagOf(words)],
    ...security(route.config?.access, userSchemes),
    ...(schema.body ? { body: refer(schema.body, shared) } : {}),
    response: refer(
      {
        ...Object.fromEntries([...refusals, ...answers]),
        default: { description: 'Any other refusal, such as 405, 414 or 431', content: PROBLEM },
      },
      shared,
    ),
  };
}

/** Each scheme alone is enough. */
function security(access: AccessLevel | undefined, userSchemes: object): object {
  const byUsers = Object.entries(userSchemes);
  const byOperators = [
    ...Object.keys(SECURITY_SCHEMES),
    ...byUsers.flatMap(([name, one]) => (one.in === 'cookie' ? name : [])),
  ];
  const required = typeof access === 'object' ? [access.permission] : [];
  const names =
    access === 'operator' ? byOperators : access === 'public' ? [] : byUsers.map(([name]) => name);
  return names.length === 0 ? {} : { security: names.map((name) => ({ [name]: required })) };
}

/** @returns A copy with a reference in place of each schema that has an `$id`. */
function refer(value: unknown, shared: SharedSchemas): unknown {
  if (Array.isArray(value)) return value.map((one) => refer(one, shared));
  if (typeof value !== 'object' || value === null) return value;
  const { $id, ...rest } = value as { $id?: unknown };
  const copy = Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, refer(one, shared)]));
  if (typeof $id !== 'string') return copy;
  shared[$id] ??= copy;
  return { $ref: `#/components/schemas/${$id}` };
}

interface Answer {
  $id?: string;
  type?: string;
  description?: string;
  content?: object;
}

function describeAnswer(status: number, answer: Answer): object {
  const description = answer.description ?? REFUSALS[status]?.description ?? STATUS_CODES[status];
  if (answer === (Problem as Answer)) return { description, content: PROBLEM };
  if (answer.content || answer.type === 'null') return { ...answer, description };
  return { description, content: { 'application/json': { schema: answer } } };
}

function tagOf([first, second = 'api']: string[]): string {
  if (first !== 'api') return 'probes';
  return second === 'openapi.json' ? 'description' : second;
}

/**
 * Adds a problem document (RFC 9457) to every failure: what the framework refuses, what a route throws, what matches no
 * route, and what is not HTTP.
 *
 * It stands before the routes, because an error handler applies to routes that are registered after it.
 */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type {
  ConnectionError,
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchemaValidationError,
} from 'fastify';
import fp from 'fastify-plugin';
import { findUnavailable } from '../database/pool/unavailable.ts';
import { findCause } from '../lib/causes.ts';
import {
  PROBLEM_MEDIA_TYPE,
  ProblemError,
  type ProblemKind,
  pathOf,
  problemDocument,
} from '../lib/problem.ts';
import type { Failure } from '../metrics/observations.ts';
import { logAccess } from './access-log.ts';
import { observeEarly } from './metrics.ts';
import { REQUEST_ID_HEADER } from './request-context.ts';
import type {} from './security-headers.ts';

/** The kind of each of Fastify's own errors, and its detail for a person. */
const FRAMEWORK: Record<string, Answer> = {
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed-json', 'The body could not be parsed as JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed-json', 'The body is empty, and Content-Type promises JSON.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['too-large', 'The body is larger than this server accepts.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['bad-request', 'Content-Length does not match the body.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported-media-type', 'Send the body as application/json.'],
  FST_ERR_CTP_INVALID_TYPE: ['unsupported-media-type', 'Send the body as application/json.'],
  FST_ERR_BAD_URL: ['bad-request', 'The address is not a well-formed path.'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri-too-long', 'A part of the address is too long.'],
  FST_ERR_HANDLER_TIMEOUT: [
    'handler-timeout',
    'The request took too long. Try again in a moment.',
    { 'retry-after': '1' },
  ],
};

/** Its kind may be a status, for errors of others that bring one. */
type Answer = readonly [
  kind: ProblemKind | number,
  detail: string,
  headers?: Readonly<Record<string, string>>,
  errors?: ProblemError['errors'],
];

declare module 'fastify' {
  interface FastifyRequest {
    /** Set with an answer of 500 or more. */
    failure: Failure | undefined;
  }
}

export const problems = fp(async (app: FastifyInstance) => {
  const routes = rememberRoutes(app);
  app.decorateRequest('failure', undefined);
  app.setErrorHandler((error: FastifyError, request, reply) => sendError(error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const allowed = routes.methodsOf(pathOf(request.url));
    const isKnown = allowed.length > 0 && !allowed.includes(request.method);
    if (!isKnown) return send(reply, request, ['not-found', 'There is nothing at this address.']);
    const detail = `This address has no ${request.method}. It has ${allowed.join(', ')}.`;
    return send(reply, request, ['method-not-allowed', detail, { allow: allowed.join(', ') }]);
  });
});

/** Answers errors from before routing (Fastify's `frameworkErrors`): no hook has run, and none will. */
export function sendEarlyError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  reply.headers({ ...reply.server.securityHeaders, [REQUEST_ID_HEADER]: request.id });
  reply.raw.once('finish', () => {
    logAccess(request, reply);
    observeEarly(request, reply);
  });
  sendError(error, request, reply);
}

function sendError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const answer = answerTo(error, request);
  const logged = answer[0] === 'internal';
  if (logged) {
    const { method, url: route } = request.routeOptions;
    request.log.error({ err: error, method, route }, 'request failed');
  }
  const sent = send(reply, request, answer);
  if (sent.statusCode >= 500) {
    const { name: type, message } = findUnavailable(error) ?? findCause(error, ProblemError) ?? error;
    request.failure = { type, message: findUnavailable(error)?.reason ?? message, logged };
  }
  return sent;
}

function answerTo(error: FastifyError, request: FastifyRequest): Answer {
  // Drizzle wraps what is thrown before a query, such as the error of a request that has timed out.
  const problem = findCause(error, ProblemError);
  if (problem !== undefined) return [problem.kind, problem.message, problem.headers, problem.errors];
  const unavailable = findUnavailable(error);
  if (unavailable !== undefined) {
    request.log.debug({ reason: unavailable.reason }, 'the database is unreachable');
    const headers = { 'retry-after': String(unavailable.retryAfterSeconds) };
    return ['unavailable', 'The database is unreachable. Try again in a moment.', headers];
  }
  if (request.raw.destroyed && !request.raw.complete) {
    return ['bad-request', 'The body ended before it was complete.'];
  }
  if (error.validation !== undefined) {
    const where = error.validationContext ?? 'body';
    const errors = error.validation.map((fault) => ({
      path: `${where}${fault.instancePath}`,
      message: inWords(fault),
    }));
    return [
      'validation',
      `The ${where} does not have the form that is described at /api/openapi.json.`,
      {},
      errors,
    ];
  }
  if (FRAMEWORK[error.code]) return FRAMEWORK[error.code] as Answer;
  if (isClientError(error)) return [error.statusCode, error.message];
  return ['internal', 'The cause is in the log, under this request id.'];
}

/**
 * Whether an error is the caller's fault, with a status and a message meant for the caller.
 *
 * A 4xx `statusCode` alone does not say so: clients of other services put their upstream's status there. The codes of Fastify
 * and its plugins begin with `FST_`; http-errors sets `expose` (https://github.com/jshttp/http-errors#error-properties).
 */
function isClientError(
  error: FastifyError & { expose?: unknown },
): error is FastifyError & { statusCode: number } {
  const { statusCode = 500, code, expose } = error;
  return statusCode >= 400 && statusCode < 500 && (expose === true || String(code).startsWith('FST_'));
}

/** What a person reads beside the field, by keyword. The validator's own words are for developers. */
const WORDS: Record<string, (params: Record<string, unknown>) => string> = {
  maxLength: ({ limit }) => `has more than ${limit} characters`,
  minLength: ({ limit }) => (limit === 1 ? 'is empty' : `has fewer than ${limit} characters`),
  pattern: () => 'has invalid characters, or none but spaces',
  required: ({ missingProperty }) => `misses ${missingProperty}`,
  additionalProperties: ({ additionalProperty }) => `has an unknown property: ${additionalProperty}`,
  maximum: ({ limit }) => `is more than ${limit}`,
  minimum: ({ limit }) => `is less than ${limit}`,
  type: ({ type }) => `is not of the type ${type}`,
};

export const inWords = ({ keyword, params, message }: FastifySchemaValidationError): string =>
  WORDS[keyword]?.(params) ?? message ?? 'is not valid';

function send(
  reply: FastifyReply,
  request: FastifyRequest,
  [kind, detail, headers, errors]: Answer,
): FastifyReply {
  const where = { instance: pathOf(request.url), requestId: request.id };
  const body = problemDocument(kind, detail, where, errors);
  return reply
    .code(body.status)
    .headers({ ...headers, 'cache-control': 'no-store', 'content-type': PROBLEM_MEDIA_TYPE })
    .serializer(JSON.stringify)
    .send(body);
}

/** Keeps every registered pattern, to tell 405 from 404. Used only when nothing matched, so it may be slow. */
function rememberRoutes(app: FastifyInstance): { methodsOf(path: string): string[] } {
  const patterns = new Map<string, { matches: RegExp; methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    // A catch-all does not say what exists at an address.
    if (url.endsWith('*')) return;
    let pattern = patterns.get(url);
    if (pattern === undefined) {
      const source = url.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/:[^/]+/g, '[^/]+');
      pattern = { matches: new RegExp(`^${source}$`), methods: new Set() };
      patterns.set(url, pattern);
    }
    for (const one of [method].flat()) pattern.methods.add(one);
  });
  return {
    methodsOf: (path) => [
      ...new Set(
        [...patterns.values()].flatMap(({ matches, methods }) => (matches.test(path) ? [...methods] : [])),
      ),
    ],
  };
}

/** The kind of each error of Node's parser; others are a bad request. */
const CONNECTION: Record<string, ProblemKind> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'timeout',
};

/**
 * Answers what is not a request, or came too slowly (Fastify's `clientErrorHandler`), and closes the connection without
 * waiting for the client.
 *
 * @param onAnswer Called with each answer.
 */
export function answerBrokenConnection(onAnswer: (status: number, socket: Socket) => void = () => {}) {
  return function (this: FastifyInstance, error: ConnectionError, socket: Socket): void {
    if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
      socket.destroy();
      return;
    }
    const kind = CONNECTION[error.code] ?? 'bad-request';
    const requestId = randomUUID();
    const document = problemDocument(kind, undefined, { instance: '', requestId });
    const body = JSON.stringify(document);
    onAnswer(document.status, socket);
    const headers = Object.entries({
      ...this.securityHeaders,
      connection: 'close',
      'cache-control': 'no-store',
      'content-type': PROBLEM_MEDIA_TYPE,
      'content-length': Buffer.byteLength(body),
      [REQUEST_ID_HEADER]: requestId,
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`HTTP/1.1 ${document.status} ${document.title}\r\n${headers.join('')}\r\n${body}`);
    // `end` alone would leave it open until the client ends it too, and would serve what the client completes.
    if (socket.writableLength === 0) socket.destroySoon();
    // The client has not read what it was sent before.
    else socket.destroy();
  };
}

/**
 * Adds to every failure its problem document (RFC 9457): what the framework refuses, what a route throws, what matches
 * no route, and what is not even HTTP.
 *
 * It stands before the routes, because a handler set later would not hold for those registered earlier.
 */
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
import { logAccess } from './access-log.ts';
import { observeEarly } from './metrics.ts';
import type {} from './security-headers.ts';

/** What Fastify's own errors are to the caller: the kind, and words for the person who reads them. */
const FRAMEWORK: Record<string, readonly [ProblemKind, string]> = {
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed-json', 'The body could not be parsed as JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed-json', 'The body is empty, and Content-Type promises JSON.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['too-large', 'The body is larger than this server accepts.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['bad-request', 'Content-Length does not match the body.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported-media-type', 'Send the body as application/json.'],
  FST_ERR_CTP_INVALID_TYPE: ['unsupported-media-type', 'Send the body as application/json.'],
  FST_ERR_BAD_URL: ['bad-request', 'The address is not a well-formed path.'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri-too-long', 'A part of the address is longer than any that exists here.'],
  FST_ERR_HANDLER_TIMEOUT: ['handler-timeout', 'The request took too long. Try again in a moment.'],
};

interface Answer {
  /** A status where the error is not one of ours and brings its own. */
  kind: ProblemKind | number;
  detail: string | undefined;
  headers: Readonly<Record<string, string>>;
  errors?: ProblemError['errors'];
}

export const problems = fp(async (app: FastifyInstance) => {
  const routes = rememberRoutes(app);
  app.setErrorHandler((error: FastifyError, request, reply) => sendError(error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const allowed = routes.methodsOf(pathOf(request.url));
    if (allowed.length > 0 && !allowed.includes(request.method)) {
      return send(reply, request, {
        kind: 'method-not-allowed',
        detail: `${request.method} is not possible here; ${allowed.join(', ')} is.`,
        headers: { allow: allowed.join(', ') },
      });
    }
    return send(reply, request, {
      kind: 'not-found',
      detail: 'There is nothing at this address.',
      headers: {},
    });
  });
});

/** For errors from before a route is found (Fastify's `frameworkErrors`): no hook has run, and none will. */
export function sendEarlyError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  reply.headers({ ...reply.server.securityHeaders, 'x-request-id': request.id });
  reply.raw.once('finish', () => {
    logAccess(request, reply);
    observeEarly(request, reply);
  });
  sendError(error, request, reply);
}

function sendError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const answer = answerTo(error, request);
  if (answer.kind === 'internal') {
    const { method, url: route } = request.routeOptions;
    request.log.error({ err: error, method, route }, 'request failed');
  }
  return send(reply, request, answer);
}

function answerTo(error: FastifyError, request: FastifyRequest): Answer {
  const problem = findProblem(error);
  if (problem !== undefined) {
    const { kind, message, headers, errors } = problem;
    return { kind, detail: message, headers, errors };
  }
  const unavailable = findUnavailable(error);
  if (unavailable !== undefined) {
    request.log.debug({ reason: unavailable.reason }, 'the database is away');
    return {
      kind: 'unavailable',
      detail: 'The database is unreachable. Try again in a moment.',
      headers: { 'retry-after': String(unavailable.retryAfterSeconds) },
    };
  }
  if (request.raw.destroyed && !request.raw.complete) {
    return { kind: 'bad-request', detail: 'The body ended before it was complete.', headers: {} };
  }
  if (error.validation !== undefined) {
    const where = error.validationContext ?? 'body';
    return {
      kind: 'validation',
      detail: `The ${where} does not have the form that is described at /api/docs.`,
      headers: {},
      errors: error.validation.map((fault) => ({
        path: `${where}${fault.instancePath}`,
        message: inWords(fault),
      })),
    };
  }
  const known = FRAMEWORK[error.code];
  if (known !== undefined) {
    const [kind, detail] = known;
    return { kind, detail, headers: kind === 'handler-timeout' ? { 'retry-after': '1' } : {} };
  }
  if (isClientError(error)) return { kind: error.statusCode, detail: error.message, headers: {} };
  return { kind: 'internal', detail: 'The cause is in the log, under this request id.', headers: {} };
}

/**
 * Whether an error is the caller's fault, with a status and a message meant for the caller.
 *
 * A 4xx `statusCode` alone does not say so: clients of other services put there what their upstream answered, and its
 * 404 is a failure of ours. Fastify and its plugins begin their codes with `FST_`; http-errors, which other plugins
 * use, sets `expose` (https://github.com/jshttp/http-errors#error-properties).
 */
function isClientError(
  error: FastifyError & { expose?: unknown },
): error is FastifyError & { statusCode: number } {
  const { statusCode = 500, code, expose } = error;
  return statusCode >= 400 && statusCode < 500 && (expose === true || String(code).startsWith('FST_'));
}

/** What a person reads beside the field. The validator's own words are for whoever wrote the schema. */
function inWords({ keyword, params, message }: FastifySchemaValidationError): string {
  const { limit } = params;
  switch (keyword) {
    case 'maxLength':
      return `has more than ${limit} characters`;
    case 'minLength':
      return limit === 1 ? 'is empty' : `has fewer than ${limit} characters`;
    case 'pattern':
      return 'has characters that are not possible here, or none that count';
    case 'required':
      return `misses ${params.missingProperty}`;
    case 'additionalProperties':
      return `has something unknown: ${params.additionalProperty}`;
    case 'maximum':
      return `is more than ${limit}`;
    case 'minimum':
      return `is less than ${limit}`;
    case 'type':
      return `is not of the type ${params.type}`;
    default:
      return message ?? 'is not valid';
  }
}

/** Drizzle wraps what is thrown where a query would have begun, as for a request that nobody waits for any more. */
function findProblem(error: unknown): ProblemError | undefined {
  return findCause(error, ProblemError);
}

function send(reply: FastifyReply, request: FastifyRequest, answer: Answer): FastifyReply {
  const where = { instance: pathOf(request.url), requestId: request.id };
  const body = problemDocument(answer.kind, answer.detail, where, answer.errors);
  return reply
    .code(body.status)
    .headers({ ...answer.headers, 'cache-control': 'no-store', 'content-type': PROBLEM_MEDIA_TYPE })
    .serializer(JSON.stringify)
    .send(body);
}

/** Keeps every registered pattern, to tell 405 from 404. Asked only when nothing matched, so it may be slow. */
function rememberRoutes(app: FastifyInstance): { methodsOf(path: string): string[] } {
  const patterns = new Map<string, { matches: RegExp; methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    // A catch-all says nothing about what exists at an address.
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

/** What a parser's complaint about a connection is to the caller. */
const CONNECTION: Record<string, ProblemKind> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'timeout',
};

/**
 * Answers what could not be parsed as a request or came too slowly (Fastify's `clientErrorHandler`), then closes the
 * connection: it does not wait for the client to close or to read.
 *
 * @param newId Makes the request id: there is no request to take one from.
 * @param onAnswer Told of each answer.
 */
export function answerBrokenConnection(
  newId: () => string,
  onAnswer: (status: number, socket: Socket) => void = () => {},
) {
  return (error: ConnectionError, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
      socket.destroy();
      return;
    }
    const kind = CONNECTION[error.code] ?? 'bad-request';
    const requestId = newId();
    const document = problemDocument(kind, undefined, { instance: '', requestId });
    const body = JSON.stringify(document);
    onAnswer(document.status, socket);
    socket.write(
      `HTTP/1.1 ${document.status} ${document.title}\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n` +
        `Content-Type: ${PROBLEM_MEDIA_TYPE}\r\nX-Request-Id: ${requestId}\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    // Ending it alone would leave it open until the client ends it too, and would still serve what the client completes.
    if (socket.writableLength === 0) socket.destroySoon();
    // The client does not even read what it was sent before.
    else socket.destroy();
  };
}

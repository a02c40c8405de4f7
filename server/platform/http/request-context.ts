/**
 * Adds to a request its id and its trace, and to its answer `X-Request-Id`.
 *
 * It stands first: every later log line and every refusal names the id.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller's W3C trace, where it sent a well-formed `traceparent`. */
    trace: Trace | undefined;
  }
}

export interface Trace {
  traceId: string;
  parentId: string;
  flags: string;
}

/** The header that carries a request's id, in and out. */
export const REQUEST_ID_HEADER = 'x-request-id';
/** Nothing that could break a log line, a header or a shell. */
const REQUEST_ID = /^[\w.:+/=-]{8,128}$/;
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
/** Later versions may append fields; version 00 has exactly these. */
const LENGTH_OF_VERSION_00 = 55;

/** The id of a request: the caller's `X-Request-Id` when it is well-formed, else a new one. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers[REQUEST_ID_HEADER];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** @returns The trace of a `traceparent` header (W3C Trace Context, level 1), or undefined when it is malformed. */
export function readTraceparent(header: string | undefined): Trace | undefined {
  const parts = header === undefined ? null : TRACEPARENT.exec(header);
  if (parts === null) return undefined;
  if (parts[0].startsWith('00') && parts[0].length > LENGTH_OF_VERSION_00) return undefined;
  return { traceId: parts[1] as string, parentId: parts[2] as string, flags: parts[3] as string };
}

/**
 * Headers that carry a request's id and trace on to another service.
 *
 * @returns Ready for `fetch`: `X-Request-Id`, and `traceparent` with a span of our own where the caller sent a trace.
 */
export function outgoingHeaders(request: FastifyRequest): Record<string, string> {
  const { trace } = request;
  if (trace === undefined) return { [REQUEST_ID_HEADER]: request.id };
  const traceparent = `00-${trace.traceId}-${randomBytes(8).toString('hex')}-${trace.flags}`;
  return { [REQUEST_ID_HEADER]: request.id, traceparent };
}

export const requestContext = fp(async (app) => {
  app.decorateRequest('trace', undefined);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header(REQUEST_ID_HEADER, request.id);
    const { traceparent } = request.headers;
    if (typeof traceparent === 'string') request.trace = readTraceparent(traceparent);
    done();
  });
});

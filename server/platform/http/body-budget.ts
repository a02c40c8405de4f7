/**
 * Adds one limit to what all request bodies under way hold together: beyond it a request is answered 503 before its body is
 * read, and 413 where the body is longer than the `bodyLimit` of its route. A route that passes its body on as it comes, to
 * a disk for example, says so with `config: { streamsBody: true }`.
 *
 * It stands behind the security headers, which a refusal carries, and before everything that may hold a request. Requests
 * without a body pass by.
 */
import type { RequestListener } from 'node:http';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { BodyBudget, SMALL_BYTES } from '../lib/body-budget.ts';
import { ProblemError } from '../lib/problem.ts';
import type {} from './overload.ts';
import { clientKey } from './rate-limit/client-key.ts';

/** What a stream of Node's takes in before it is read: its high-water mark of 64 KiB, and one read from the socket. */
const STREAM_BYTES = 128 * 1_024;
/** A flood of refusals is one line of log in this time. In milliseconds. */
const WARN_EVERY_MS = 10_000;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body is passed on as it comes and is never whole in memory. */
    streamsBody?: boolean;
  }
  interface FastifyInstance {
    bodyBudget: BodyBudget;
  }
}

/** @param limitBytes What all bodies under way may hold together. */
export const bodyBudget = fp<{ limitBytes: number }>(async (app, { limitBytes }) => {
  const budget = new BodyBudget(limitBytes);
  const { server } = app;
  let warnedAt = Number.NEGATIVE_INFINITY;
  app.decorate('bodyBudget', budget);

  const warn = () => {
    const now = performance.now();
    if (now - warnedAt < WARN_EVERY_MS) return;
    warnedAt = now;
    app.log.warn(
      { usedBytes: budget.used, limitBytes },
      'request bodies are refused: those under way hold as much memory as BODY_MEMORY_BYTES allows',
    );
  };

  app.addHook('onRequest', (request, reply, done) => {
    const { headers, method } = request.raw;
    const { 'content-length': announced, 'transfer-encoding': encoding } = headers;
    if (announced === undefined && encoding === undefined) {
      done();
      return;
    }
    // Nothing reads it, so its pieces would lie in memory as small as they came until the answer is out.
    if (encoding !== undefined && (method === 'GET' || method === 'HEAD')) {
      reply.header('connection', 'close');
      done(new ProblemError('bad-request', `A ${method} request has no chunked body.`));
      return;
    }
    const bytes = bytesHeld(request, announced);
    if (bytes === undefined) {
      done(new ProblemError('too-large', 'The body is larger than this server accepts.'));
      return;
    }
    const client = clientKey(request.ip, request.socket.remoteAddress);
    if (!budget.take(client, bytes)) {
      app.overload.shed['body-memory']++;
      warn();
      done(
        new ProblemError('unavailable', 'Too many request bodies are under way. Try again in a moment.', {
          headers: { 'retry-after': '1' },
        }),
      );
      return;
    }
    reply.raw.once('close', () => budget.give(client, bytes));
    // A client of HTTP/1.0 would take it for the answer (RFC 9110, 10.1.1).
    if (headers.expect !== undefined && request.raw.httpVersion === '1.1') reply.raw.writeContinue();
    done();
  });

  // Node would tell each client to send its body before anything is known of the request.
  const onExpectation: RequestListener = (request, response) => {
    // A client that is refused may send its body or not: what follows on this connection cannot be told apart from it.
    response.shouldKeepAlive = false;
    server.emit('request', request, response);
  };
  server.on('checkContinue', onExpectation);
  app.addHook('onClose', async () => server.off('checkContinue', onExpectation));
});

/** How much of a body may be in memory: what is announced, or else all that its route takes; undefined if it is too large. */
function bytesHeld(request: FastifyRequest, announced: string | undefined): number | undefined {
  const length = announced === undefined ? 0 : Number(announced);
  // The usual body is small, and its route needs no look.
  if (announced !== undefined && length <= SMALL_BYTES) return length;
  const { bodyLimit, config } = request.routeOptions;
  if (length > bodyLimit) return undefined;
  if (config.streamsBody) return STREAM_BYTES;
  return announced === undefined ? bodyLimit : length;
}

/**
 * Adds a limit to the memory of all request bodies together: beyond it a request is answered 503 before its body is read, and
 * 413 when the body is longer than the `bodyLimit` of its route. A route that streams its body, to a disk for example, has
 * `config: { streamsBody: true }`.
 *
 * It stands after the security headers, which a refusal carries, and before everything that may hold a request.
 */
import type { RequestListener } from 'node:http';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError, unavailable } from '../lib/problem.ts';
import { throttled } from '../lib/throttled.ts';
import type {} from './overload.ts';
import { clientKey } from './rate-limit/client-key.ts';

/** Up to this size a body is small. */
const SMALL_BYTES = 16 * 1_024;
/** Large bodies leave the last quarter to small ones. */
const LARGE_SHARE = 0.75;
/** A client's first body aside, no client takes more than this share of what the others leave. */
const CLIENT_SHARE = 0.25;
/** What Node buffers of a stream that is not read: its high-water mark of 64 KiB, and one read from the socket. */
const STREAM_BYTES = 128 * 1_024;
/** In milliseconds. */
const WARN_EVERY_MS = 10_000;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The handler streams the body: it is never whole in memory. */
    streamsBody?: boolean;
  }
  interface FastifyInstance {
    bodyBudget: BodyBudget;
  }
}

/**
 * Counts the memory that request bodies may use.
 *
 * A body is reserved whole when its request arrives, and released when its answer is out or its client has left. A single body
 * is admitted at any size, so that a route with a large limit works everywhere.
 */
export class BodyBudget {
  readonly limit: number;
  readonly #byClient = new Map<string, number>();
  #used = 0;
  #refusedAt = Number.NEGATIVE_INFINITY;

  /** @param limit In bytes. */
  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** @returns Milliseconds since a body was refused; infinite if none was. */
  sinceRefusalMs(now = performance.now()): number {
    return now - this.#refusedAt;
  }

  /**
   * @param client Whose body it is.
   * @returns Whether there is room. If so, `give` the same back later.
   */
  take(client: string, bytes: number): boolean {
    const own = this.#byClient.get(client) ?? 0;
    const limit = bytes <= SMALL_BYTES ? this.limit : this.limit * LARGE_SHARE;
    const left = limit - (this.#used - own);
    const fits = own + bytes <= left || this.#used === 0;
    if (!fits || (own > 0 && own + bytes > left * CLIENT_SHARE)) {
      this.#refusedAt = performance.now();
      return false;
    }
    this.#used += bytes;
    this.#byClient.set(client, own + bytes);
    return true;
  }

  give(client: string, bytes: number): void {
    this.#used -= bytes;
    const rest = (this.#byClient.get(client) ?? 0) - bytes;
    if (rest > 0) this.#byClient.set(client, rest);
    else this.#byClient.delete(client);
  }
}

/** @param limitBytes What all bodies may hold together. */
export const bodyBudget = fp<{ limitBytes: number }>(async (app, { limitBytes }) => {
  const budget = new BodyBudget(limitBytes);
  const { server } = app;
  app.decorate('bodyBudget', budget);

  const warn = throttled(WARN_EVERY_MS, () =>
    app.log.warn(
      { usedBytes: budget.used, limitBytes },
      'request bodies are refused: those under way hold as much memory as BODY_MEMORY_BYTES allows',
    ),
  );

  app.addHook('onRequest', (request, reply, done) => {
    const { headers, method } = request.raw;
    const { 'content-length': announced, 'transfer-encoding': encoding } = headers;
    if (announced === undefined && encoding === undefined) {
      done();
      return;
    }
    // Nothing reads it: its pieces, which may be tiny, would lie in memory until the answer is out.
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
      done(unavailable('Too many request bodies are under way. Try again in a moment.'));
      return;
    }
    reply.raw.once('close', () => budget.give(client, bytes));
    // A client of HTTP/1.0 would take it for the answer (RFC 9110, 10.1.1).
    if (headers.expect !== undefined && request.raw.httpVersion === '1.1') reply.raw.writeContinue();
    done();
  });

  // By itself Node would ask for the body before any hook has run.
  const onExpectation: RequestListener = (request, response) => {
    // After a refusal the client may send its body or a new request: the two cannot be told apart.
    response.shouldKeepAlive = false;
    server.emit('request', request, response);
  };
  server.on('checkContinue', onExpectation);
  app.addHook('onClose', async () => server.off('checkContinue', onExpectation));
});

/** @returns How much of a body may be in memory: its length, or else its route's limit; undefined if it is too large. */
function bytesHeld(request: FastifyRequest, announced: string | undefined): number | undefined {
  const length = announced === undefined ? 0 : Number(announced);
  if (announced !== undefined && length <= SMALL_BYTES) return length;
  const { bodyLimit, config } = request.routeOptions;
  if (length > bodyLimit) return undefined;
  if (config.streamsBody) return STREAM_BYTES;
  return announced === undefined ? bodyLimit : length;
}

/**
 * Adds a deadline to handlers: past it the client is answered 503, and no further query of that request starts. A query that
 * runs is left to its statement time-out. The same holds when the client has gone.
 *
 * It stands around the features alone. The clock starts when the body has arrived, because a slow upload is no slow handler.
 * An answer that has begun (a stream) has no deadline, nor has a route with `untimed`. Fastify's own `handlerTimeout` is not
 * used: its timer ends with the request's stream, so that a request with a body never times out (5.12.8), and it costs each
 * request an AbortController.
 */
import type { FastifyReply } from 'fastify';
import fp from 'fastify-plugin';
import { handlerTimeout, type RequestWork, runAsWorkOf } from '../lib/request-work.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** How many handlers are at work, besides those of `untimed` routes. */
    handlersRunning(): number;
  }
  interface FastifyRequest {
    /** What the route does for this request; undefined until its handler may begin. */
    work: HandlerWork | undefined;
  }
}

class HandlerWork implements RequestWork {
  readonly reply: FastifyReply;
  sweeps = 0;
  expired = false;

  constructor(reply: FastifyReply) {
    this.reply = reply;
  }

  wanted(): boolean {
    const { raw } = this.reply;
    return !this.expired && (!raw.destroyed || raw.writableFinished);
  }
}

/** @param limitMs How long a handler may take; noticed within a tenth more, or a second if that is less. */
export const handlerDeadline = fp<{ limitMs: number }>(async (app, { limitMs }) => {
  const running = new Set<HandlerWork>();
  // Sweeps are counted, not time: a process that was frozen for a minute has been slow for one sweep.
  const sweepMs = Math.min(1_000, Math.ceil(limitMs / 10));
  const maxSweeps = Math.ceil(limitMs / sweepMs) + 1;
  let sweeper: NodeJS.Timeout | undefined;

  /** One timer for all requests, and none without a request. */
  const sweep = () => {
    for (const work of running) {
      const { reply } = work;
      // A client that has gone leaves no other trace.
      if (reply.raw.destroyed) running.delete(work);
      else if (++work.sweeps >= maxSweeps && !reply.sent && !reply.raw.headersSent) {
        work.expired = true;
        running.delete(work);
        reply.send(handlerTimeout());
      }
    }
    if (running.size > 0) return;
    clearInterval(sweeper);
    sweeper = undefined;
  };

  app.decorate('handlersRunning', () => running.size);
  app.decorateRequest('work', undefined);
  app.addHook('preHandler', (request, reply, done) => {
    const work = new HandlerWork(reply);
    request.work = work;
    // An open stream is no load: 2,000 pages that stay open must not have everything else refused (overload.ts).
    if (!request.routeOptions.config.untimed) {
      running.add(work);
      sweeper ??= setInterval(sweep, sweepMs).unref();
    }
    runAsWorkOf(work, done);
  });
  app.addHook('onResponse', (request, _reply, done) => {
    if (request.work) running.delete(request.work);
    done();
  });
  app.addHook('onClose', async () => clearInterval(sweeper));
});

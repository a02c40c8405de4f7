/**
 * Adds a deadline to what a route does: past it the client is answered 503, and no further query of that request starts.
 * The query that runs is left to its statement time-out. The same holds when the client has gone.
 *
 * It stands around the features alone. The clock starts when the body has arrived, because a slow upload is no slow
 * handler, and an answer that has begun (a stream) has none, nor has a route that says `untimed`. Fastify's own `handlerTimeout` is not used: its timer ends
 * with the request's stream, so that one with a body never times out (5.12.8), and it costs each request an
 * AbortController.
 */
import type { FastifyReply } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../lib/problem.ts';
import { type RequestWork, runAsWorkOf } from '../lib/request-work.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** How many handlers are at work. */
    handlersRunning(): number;
  }
  interface FastifyRequest {
    /** What the route does for this request, from the moment when its handler may begin. */
    work: HandlerWork | undefined;
  }
}

class HandlerWork implements RequestWork {
  readonly reply: FastifyReply;
  rounds = 0;
  expired = false;
  /** It lasts as long as its client does. */
  readonly untimed: boolean;

  constructor(reply: FastifyReply, untimed: boolean) {
    this.reply = reply;
    this.untimed = untimed;
  }

  wanted(): boolean {
    const { raw } = this.reply;
    return !this.expired && (!raw.destroyed || raw.writableFinished);
  }
}

/** @param limitMs How long a handler may take; it is noticed within a tenth more, or a second if that is less. */
export const handlerDeadline = fp<{ limitMs: number }>(async (app, { limitMs }) => {
  const running = new Set<HandlerWork>();
  // Rounds are counted, not time: a process that was frozen for a minute has been slow for one round.
  const roundMs = Math.min(1_000, Math.ceil(limitMs / 10));
  const mostRounds = Math.ceil(limitMs / roundMs) + 1;
  let sweeper: NodeJS.Timeout | undefined;

  /** One timer for all requests, and none while there is no request. */
  const sweep = () => {
    for (const work of running) {
      const { reply } = work;
      // A client that has gone leaves no other trace.
      if (reply.raw.destroyed) running.delete(work);
      else if (!work.untimed && ++work.rounds >= mostRounds && !reply.sent && !reply.raw.headersSent) {
        work.expired = true;
        running.delete(work);
        reply.send(
          new ProblemError('handler-timeout', 'Nothing was answered in time. Try again in a moment.', {
            headers: { 'retry-after': '1' },
          }),
        );
      }
    }
    if (running.size === 0) {
      clearInterval(sweeper);
      sweeper = undefined;
    }
  };

  app.decorate('handlersRunning', () => running.size);
  app.decorateRequest('work', undefined);
  app.addHook('preHandler', (request, reply, done) => {
    const work = new HandlerWork(reply, request.routeOptions.config.untimed === true);
    request.work = work;
    running.add(work);
    sweeper ??= setInterval(sweep, roundMs).unref();
    runAsWorkOf(work, done);
  });
  app.addHook('onResponse', (request, _reply, done) => {
    if (request.work) running.delete(request.work);
    done();
  });
  app.addHook('onClose', async () => clearInterval(sweeper));
});

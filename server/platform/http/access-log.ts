/**
 * Logs one line for each request, when its answer has been sent.
 *
 * It stands early so that refusals of later plugins are logged as well, and after `connections.ts`, which sees clients leave.
 * Probes are logged at `debug`.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { pathOf } from '../lib/problem.ts';
import type { Logger } from '../logging/logger.ts';
import type {} from './connections.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its requests are logged at `debug`, not at `info`. */
    quiet?: boolean;
  }
}

/** Writes the line of one request. */
export function logAccess(request: FastifyRequest, reply: FastifyReply): void {
  const { config, url: route } = request.routeOptions;
  const log = request.server.log as Logger;
  const level = config?.quiet === true ? 'debug' : 'info';
  // Before the line is built.
  if (!log.isLevelEnabled(level)) return;
  log[level](
    {
      requestId: request.id,
      method: request.method,
      path: pathOf(request.url),
      route,
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime * 100) / 100,
      traceId: request.trace?.traceId,
      userId: request.scope?.userId,
      aborted: reply.raw.writableFinished ? undefined : true,
    },
    'request',
  );
}

export const accessLog = fp(async (app) => {
  const { log } = app;
  app.addHook('onResponse', (request, reply, done) => {
    logAccess(request, reply);
    done();
  });
  // A request whose client leaves early has no finished answer in onResponse. Fastify's own hook for this would add a
  // listener to each request, where the end of the connection says as much.
  app.connections.onAbandoned((request) => {
    log.debug({ requestId: request.id, path: pathOf(request.url) }, 'the client disconnected');
  });
});

/**
 * Adds `draining` to the application and to each request: an AbortSignal that is aborted when the process begins to drain,
 * for what would outlast the drain, such as a stream, a WebSocket or background work.
 *
 * There is one signal for the whole process, so a request's listener must be removed when that request ends:
 * `addEventListener('abort', stop, { signal: stream.closed })`.
 */
import { setMaxListeners } from 'node:events';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Lifecycle } from '../health/lifecycle.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Aborted when the process begins to drain. */
    readonly draining: AbortSignal;
  }
  interface FastifyRequest {
    /** The same signal as the application's. */
    readonly draining: AbortSignal;
  }
}

export const draining = fp<{ lifecycle: Lifecycle }>(async (app, { lifecycle }) => {
  const controller = new AbortController();
  // One listener for each open stream is no leak.
  setMaxListeners(0, controller.signal);
  const abortWhenOver = () => {
    if (lifecycle.state === 'draining' || lifecycle.state === 'stopped') controller.abort();
  };
  abortWhenOver();
  app.addHook('onClose', async () => controller.abort());
  lifecycle.onTransition(abortWhenOver);
  app.decorate('draining', controller.signal);
  app.decorateRequest('draining', {
    getter(this: FastifyRequest) {
      return controller.signal;
    },
  });
});

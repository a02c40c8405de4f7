/**
 * Holds a request that comes while the application starts, and lets it go on once it is ready: a cold start shows a visitor
 * a pause, not an error.
 *
 * It stands around the features alone. Pages, files, probes and `/api/status` are answered in every state.
 */
import fp from 'fastify-plugin';
import type { Lifecycle } from '../health/lifecycle.ts';
import { unavailable } from '../lib/problem.ts';

/** Each held request costs a socket and a few kilobytes; more than this is a flood. */
const MAX_HELD = 1_000;

export interface StartupHoldOptions {
  lifecycle: Lifecycle;
  /** The longest a request is held, in milliseconds. */
  holdMs: number;
}

export const startupHold = fp<StartupHoldOptions>(async (app, { lifecycle, holdMs }) => {
  const held = new Set<() => void>();
  const refusal = () =>
    unavailable(lifecycle.problem ?? 'The server is still starting. Try again in a moment.');
  lifecycle.startupOver.then(() => {
    for (const release of held) release();
  });

  app.addHook('onRequest', (request, _reply, done) => {
    if (!lifecycle.startingUp) return done();
    // A chunked body would lie in memory in pieces as small as the client likes, uncounted.
    if (held.size >= MAX_HELD || request.headers['transfer-encoding'] !== undefined) return done(refusal());
    lifecycle.ask();
    const { socket } = request.raw;
    const release = () => {
      held.delete(release);
      clearTimeout(timer);
      socket.off('close', release);
      done(lifecycle.started ? undefined : refusal());
    };
    held.add(release);
    const timer = setTimeout(release, holdMs);
    // A client that leaves frees the place.
    socket.once('close', release);
  });
});

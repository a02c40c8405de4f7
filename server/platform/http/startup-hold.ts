/**
 * Holds a request that comes before the application is ready, and lets it go on once it is: a cold start shows a
 * visitor a pause, not an error.
 *
 * It stands around the features alone. Pages, files, probes and `/api/status` answer at any time.
 */
import fp from 'fastify-plugin';
import type { Lifecycle } from '../health/lifecycle.ts';
import { ProblemError } from '../lib/problem.ts';

/** Each held request costs a socket and a few kilobytes; more than this is a flood, not a cold start's visitors. */
const MAX_HELD = 1_000;

export interface StartupHoldOptions {
  lifecycle: Lifecycle;
  /** The longest a request is held, in milliseconds. */
  holdMs: number;
}

export const startupHold = fp<StartupHoldOptions>(async (app, { lifecycle, holdMs }) => {
  const held = new Set<() => void>();
  const refusal = () =>
    new ProblemError(
      'unavailable',
      lifecycle.problem ?? 'The server is still starting. Try again in a moment.',
      { headers: { 'retry-after': '1' } },
    );
  lifecycle.startupOver.then(() => {
    for (const goOn of held) goOn();
  });

  app.addHook('onRequest', (request, _reply, done) => {
    if (!lifecycle.startingUp) {
      done();
      return;
    }
    // A chunked body would lie in memory in pieces as small as the client likes, uncounted.
    if (held.size >= MAX_HELD || request.headers['transfer-encoding'] !== undefined) {
      done(refusal());
      return;
    }
    // A held visitor wants readiness as much as a probe does.
    lifecycle.ask();
    const { socket } = request.raw;
    const goOn = () => {
      held.delete(goOn);
      clearTimeout(timer);
      socket.off('close', goOn);
      done(lifecycle.started ? undefined : refusal());
    };
    held.add(goOn);
    const timer = setTimeout(goOn, holdMs);
    // Whoever leaves frees the place.
    socket.once('close', goOn);
  });
});

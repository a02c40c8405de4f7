/**
 * Holds a request that comes before the application is ready, and lets it go on once it is: a cold start shows a
 * visitor a pause, not an error.
 *
 * It stands around the features alone. Pages, files, probes and `/api/status` answer at any time.
 */
import fp from 'fastify-plugin';
import { ProblemError } from '../lib/problem.ts';
import type { Lifecycle } from '../lifecycle.ts';

/** Each held request costs a socket and a few kilobytes; more than this is a flood, not a cold start's visitors. */
const MOST_HELD = 1_000;

export interface StartupHoldOptions {
  lifecycle: Lifecycle;
  /** The longest a request is held, in milliseconds. */
  holdMs: number;
}

export const startupHold = fp<StartupHoldOptions>(async (app, { lifecycle, holdMs }) => {
  let held = 0;
  const refusal = () =>
    new ProblemError(
      'unavailable',
      lifecycle.problem ?? 'The server is still starting. Try again in a moment.',
      {
        headers: { 'retry-after': '1' },
      },
    );

  app.addHook('onRequest', (request, _reply, done) => {
    if (!lifecycle.startingUp) {
      done();
      return;
    }
    if (held >= MOST_HELD) {
      done(refusal());
      return;
    }
    held += 1;
    let waiting = true;
    const goOn = (error?: Error) => {
      if (!waiting) return;
      waiting = false;
      held -= 1;
      clearTimeout(timer);
      request.raw.socket.off('close', leave);
      done(error);
    };
    const leave = () => goOn(refusal());
    const timer = setTimeout(leave, holdMs);
    request.raw.socket.once('close', leave);
    lifecycle.startupOver.then(() => goOn(lifecycle.started ? undefined : refusal()));
  });
});

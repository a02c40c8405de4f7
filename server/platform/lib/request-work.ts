import { AsyncLocalStorage } from 'node:async_hooks';
import { ProblemError } from './problem.ts';

/** The work that one request set going. */
export interface RequestWork {
  /** Whether anybody still waits for the answer: false once the time is up, or the client has gone. */
  wanted(): boolean;
}

const current = new AsyncLocalStorage<RequestWork>();

/** Runs `handle` and whatever it sets going as the work of one request. */
export function runAsWorkOf(work: RequestWork, handle: () => void): void {
  current.run(work, handle);
}

/**
 * Stands before everything that is worth not beginning when nobody waits for it any more, such as a query.
 *
 * Outside of a request it does nothing.
 *
 * @throws ProblemError of kind `handler-timeout` when the request's time is up or its client has gone.
 */
export function assertStillWanted(): void {
  if (current.getStore()?.wanted() === false) {
    throw new ProblemError('handler-timeout', 'Nothing was answered in time. Try again in a moment.', {
      headers: { 'retry-after': '1' },
    });
  }
}

/** Does what is nobody's in particular, although a request happened to set it going: asking whether the database is there. */
export function apartFromRequests<Result>(act: () => Result): Result {
  return current.exit(act);
}

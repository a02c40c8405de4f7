import { AsyncLocalStorage } from 'node:async_hooks';
import { ProblemError } from './problem.ts';

/** What one request has started. */
export interface RequestWork {
  /** False once its time is up or its client has gone. */
  wanted(): boolean;
}

const current = new AsyncLocalStorage<RequestWork>();

/** Runs `handle`, and what it starts, as the work of one request. */
export function runAsWorkOf(work: RequestWork, handle: () => void): void {
  current.run(work, handle);
}

export const handlerTimeout = (): ProblemError =>
  new ProblemError('handler-timeout', 'The request took too long. Try again in a moment.', {
    headers: { 'retry-after': '1' },
  });

/**
 * Called before work that is not worth starting when nobody waits for it, such as a query. Does nothing outside of a request.
 *
 * @throws ProblemError `handler-timeout` when the request's time is up or its client has gone.
 */
export function assertStillWanted(): void {
  if (current.getStore()?.wanted() === false) throw handlerTimeout();
}

/** Runs `act` for the whole process, although a request has started it: a probe of the database, for example. */
export function apartFromRequests<Result>(act: () => Result): Result {
  return current.exit(act);
}

import { apartFromRequests } from './request-work.ts';
import { throttled } from './throttled.ts';

/**
 * Throttles upkeep, such as deleting expired rows, that runs beside other work: there is no timer, and an idle server sends no
 * query.
 *
 * @param everyMs The least time between two runs, in milliseconds.
 * @param failed Called with the error when `act` rejects.
 * @returns Starts `act` if it is due, and does not wait for it.
 */
export function atMostEvery(
  everyMs: number,
  act: () => Promise<unknown>,
  failed: (error: unknown) => void,
): () => void {
  return throttled(everyMs, () => {
    apartFromRequests(act).catch(failed);
  });
}

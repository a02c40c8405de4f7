import { apartFromRequests } from './request-work.ts';

/**
 * For upkeep that runs beside other work: it needs no timer, and an idle server sends no query.
 *
 * @param everyMs How often `act` runs at most, in milliseconds.
 * @param failed Called with what `act` rejects with.
 * @returns Runs `act` where it is due. The caller neither waits for it nor depends on it.
 */
export function atMostEvery(
  everyMs: number,
  act: () => Promise<unknown>,
  failed: (error: unknown) => void,
): () => void {
  let ranAt = 0;
  return () => {
    if (Date.now() - ranAt < everyMs) return;
    ranAt = Date.now();
    apartFromRequests(act).catch(failed);
  };
}

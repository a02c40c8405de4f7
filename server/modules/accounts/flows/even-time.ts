import { setTimeout as sleep } from 'node:timers/promises';

/** A hash of a password and a transaction are done by then; a mail's transaction alone. In milliseconds. */
export const WITH_HASH_MS = 400;
export const MAIL_ONLY_MS = 150;

/**
 * Has work take the same time for an address that is known as for one that is not: it ends `ms` after its begin, or later
 * where the work takes longer.
 *
 * @throws What the work throws, as late.
 */
export async function evenTime<Result>(ms: number, work: () => Promise<Result>): Promise<Result> {
  const [result] = await Promise.allSettled([work(), sleep(Math.max(0, ms))]);
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

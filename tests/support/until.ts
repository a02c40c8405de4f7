import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Looks again and again until something is found. The limit is for a machine that has other work: what takes longer is
 * taken not to come. A test that promises a time belongs into `lab/reliability/`.
 *
 * @param what Names it in the error.
 * @param look Answers undefined, false or 0 as long as it is not there.
 * @param limitMs Milliseconds; `everyMs` likewise.
 * @throws Error when it is not found within the limit.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  limitMs = 120_000,
  everyMs = 10,
): Promise<Exclude<Awaited<T>, undefined | false | 0 | null>> {
  const limit = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found) return found as Exclude<Awaited<T>, undefined | false | 0 | null>;
    if (performance.now() > limit) throw new Error(`waited ${limitMs} ms in vain for: ${what}`);
    await sleep(everyMs);
  }
}

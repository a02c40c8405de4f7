/**
 * Waits for a promise, and no longer than a limit. What the promise does after that is passed over.
 *
 * @param limitMs In milliseconds. A process that was busy or frozen for longer takes an answer that has come meanwhile.
 * @param late Makes the error for an answer that did not come in time.
 */
export async function within<Value>(
  promise: PromiseLike<Value>,
  limitMs: number,
  late: () => Error,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    // One more round of the event loop, which reads what has arrived.
    timer = setTimeout(setImmediate, limitMs, () => reject(late()));
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits for a promise no longer than a limit. A later result or error is ignored.
 *
 * @param limitMs In milliseconds. After a freeze, an answer that has arrived meanwhile still counts.
 * @param late Makes the error for an answer that is late.
 * @throws What the promise or `late` says.
 */
export async function within<Value>(
  promise: PromiseLike<Value>,
  limitMs: number,
  late: () => Error,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    // One more turn of the event loop reads what has arrived.
    timer = setTimeout(setImmediate, limitMs, () => reject(late()));
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

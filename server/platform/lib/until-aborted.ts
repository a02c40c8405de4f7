/**
 * Waits for a promise until a signal is aborted. A later result or error is ignored.
 *
 * @throws The error of the promise, or the reason of the signal.
 */
export async function untilAborted<Value>(promise: PromiseLike<Value>, signal: AbortSignal): Promise<Value> {
  const { promise: left, reject } = Promise.withResolvers<never>();
  const leave = () => reject(signal.reason);
  if (signal.aborted) leave();
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([left, promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

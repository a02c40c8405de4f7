/** @returns Calls `act`, unless it was called less than `everyMs` milliseconds ago. */
export function throttled<Args extends unknown[]>(
  everyMs: number,
  act: (...args: Args) => void,
): (...args: Args) => void {
  let dueAt = 0;
  return (...args) => {
    const now = performance.now();
    if (now < dueAt) return;
    dueAt = now + everyMs;
    act(...args);
  };
}

/** @returns A function that calls `act`, and drops calls within `everyMs` milliseconds of the last one that did. */
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

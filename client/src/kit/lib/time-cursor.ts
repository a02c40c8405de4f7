import { useSyncExternalStore } from 'react';

/** The moment that is pointed at, in milliseconds since 1970: one for all charts, so that causes meet their effects. */
let cursor: number | undefined;
const listeners = new Set<() => void>();

/** Points all charts at a moment, or at none. */
export function pointAt(at: number | undefined) {
  if (at === cursor) return;
  cursor = at;
  for (const listener of listeners) listener();
}

/** The moment that is pointed at, kept current. */
export const useCursor = () =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => cursor,
  );

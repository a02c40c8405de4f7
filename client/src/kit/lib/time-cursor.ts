import { useSyncExternalStore } from 'react';

/** The cursor shared by all charts, in milliseconds since 1970. */
let cursor: number | undefined;
const listeners = new Set<() => void>();

/** Moves the cursor of all charts; undefined removes it. */
export function pointAt(at: number | undefined) {
  if (at === cursor) return;
  cursor = at;
  for (const listener of listeners) listener();
}

/** The cursor, kept current. */
export const useCursor = () =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => cursor,
  );

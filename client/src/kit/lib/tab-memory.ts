/** What this tab remembers under `key`, also after a reload; undefined where it has nothing or may not. */
export function recall(key: string): string | undefined {
  try {
    return sessionStorage.getItem(key) ?? undefined;
  } catch {
    // A browser may forbid storage; the page then works without a memory.
    return undefined;
  }
}

/** Remembers `value` for this tab, or forgets it when it is undefined. */
export function remember(key: string, value: string | undefined) {
  try {
    if (value === undefined) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
  } catch {
    // As above; or the storage is full, which loses no more than a reload would.
  }
}

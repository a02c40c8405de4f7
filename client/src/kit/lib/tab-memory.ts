/** Reads `key` from session storage; undefined if missing or if storage is blocked. */
export function recall(key: string): string | undefined {
  try {
    return sessionStorage.getItem(key) ?? undefined;
  } catch {
    // Storage may be blocked; the page works without it.
    return undefined;
  }
}

/** Writes `value` to session storage; undefined removes it. */
export function remember(key: string, value: string | undefined) {
  try {
    if (value === undefined) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
  } catch {
    // Blocked or full: the value is lost on reload.
  }
}

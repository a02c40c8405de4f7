import { useEffect, useSyncExternalStore } from 'react';
import { useConnection } from '@/kit/lib/connection.ts';

const KEY = 'operator';
const listeners = new Set<() => void>();

/**
 * Remembers whether an operator is signed in in this browser, so that the navigation is right from the first moment. The session
 * is an HTTP-only cookie that the server checks.
 */
export function rememberOperator(isSignedIn: boolean) {
  try {
    if (isSignedIn) localStorage.setItem(KEY, 'yes');
    else localStorage.removeItem(KEY);
  } catch {
    // Storage may be blocked; operators then type the screen's address.
  }
  for (const listener of listeners) listener();
}

function isRemembered() {
  try {
    return localStorage.getItem(KEY) !== null;
  } catch {
    return false;
  }
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  // From another tab.
  addEventListener('storage', listener);
  return () => {
    listeners.delete(listener);
    removeEventListener('storage', listener);
  };
}

/** Whether to show operators' navigation: one is signed in here by a key, as the server said last. */
export const useIsOperator = () => useSyncExternalStore(subscribe, isRemembered, () => false);

/** Remembers what the server says with its status. The shell does it once. */
export function useOperatorOfStatus() {
  const { status } = useConnection();
  useEffect(() => {
    if (status) rememberOperator(status.operator === true);
  }, [status]);
}

import { useSyncExternalStore } from 'react';
import { useConnection } from '@/kit/lib/connection.ts';

const KEY = 'operator';
const listeners = new Set<() => void>();

/**
 * Remembers whether an operator is signed in in this browser. It only affects the navigation: the session is an
 * HTTP-only cookie that the server checks.
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

/** Whether to show operators' navigation: one has signed in here, or this is development. */
export function useIsOperator() {
  const remembered = useSyncExternalStore(subscribe, isRemembered, () => false);
  const { status } = useConnection();
  return import.meta.env.DEV || remembered || status?.development === true;
}

import { useSyncExternalStore } from 'react';
import { useConnection } from '@/kit/lib/connection.ts';

const KEY = 'operator';
const listeners = new Set<() => void>();

/**
 * Notes whether an operator is signed in in this browser. It decides what the navigation offers and nothing else: the
 * session is in a cookie that no script can read, and the server asks for it.
 */
export function rememberOperator(isSignedIn: boolean) {
  try {
    if (isSignedIn) localStorage.setItem(KEY, 'yes');
    else localStorage.removeItem(KEY);
  } catch {
    // A browser may forbid storage; then the address of the screen is typed.
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

/** Whether to offer what is for operators: one has signed in here, or this is development. */
export function useIsOperator() {
  const remembered = useSyncExternalStore(subscribe, isRemembered, () => false);
  const { status } = useConnection();
  return import.meta.env.DEV || remembered || status?.development === true;
}

import { useMemo, useSyncExternalStore } from 'react';
import { useConnection, useIsDevelopment } from '@/kit/lib/connection.ts';
import { useIsOperator } from '@/kit/operator/operator.ts';

/** What the shell knows of the visitor. A module such as accounts adds to it by declaration merging, and sets it. */
export interface Visitor {
  /** Whether to show what is for operators. */
  isOperator: boolean;
  /** The server runs in development. */
  isDevelopment?: boolean;
  /** And the visitor is on its machine, or an operator: they may read what others must not, such as its mailbox. */
  isDeveloper?: boolean;
  /** The user who is signed in is an operator, and needs no key. */
  isOperatorInPerson?: boolean;
  /** The id of the user who is signed in, where there are accounts; null as long as nobody is known to be. */
  userId?: string | null;
  /** Nobody is signed in, where there are accounts: what is behind them is not searched. */
  isAnonymous?: boolean;
}

let known: Partial<Visitor> = {};
const listeners = new Set<() => void>();

/** Sets what a module knows of the visitor: `setVisitor({ user: { name } })`. It decides what is offered, never what is allowed. */
export function setVisitor(more: Partial<Visitor>) {
  known = { ...known, ...more };
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useVisitor(): Visitor {
  const isOperator = useIsOperator();
  const more = useSyncExternalStore(
    subscribe,
    () => known,
    () => known,
  );
  const isDevelopment = useIsDevelopment() === true;
  const isHere = useConnection().status?.development === 'here';
  return useMemo(() => {
    const isAnyOperator = isOperator || more.isOperatorInPerson === true;
    const isDeveloper = isHere || (isDevelopment && isAnyOperator);
    return { ...more, isOperator: isAnyOperator, isDevelopment, isDeveloper };
  }, [more, isOperator, isDevelopment, isHere]);
}

/**
 * @returns The topic of events that are told to one user alone: `notes:ID`; `notes` where there are no accounts; undefined as long
 * as nobody is known to be signed in.
 */
export function useOwnTopic(topic: string): string | undefined {
  const { userId } = useVisitor();
  if (userId === null) return undefined;
  return userId === undefined ? topic : `${topic}:${userId}`;
}

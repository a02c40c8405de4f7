import { lazy, type ReactNode, Suspense, useSyncExternalStore } from 'react';
import { loadPart } from '@/kit/lib/deployment.ts';

export type ToastOptions = {
  description?: ReactNode;
  /** A way back or onwards. */
  action?: { label: string; onClick: () => void };
  /** In milliseconds. Without it 8 s: enough to read, think and undo. It waits while pointed at or focused. */
  duration?: number;
};

export type ToastType = 'default' | 'success' | 'warning' | 'error';
type Show = (title: ReactNode, type: ToastType, options: ToastOptions) => void;

/** Loaded with the first message: most visits see none, and home has a budget. */
const LazyToaster = lazy(async () => ({ default: (await loadPart(() => import('./toaster.tsx'))).Toaster }));

const waiting: Parameters<Show>[] = [];
let show: Show | undefined;
let isWanted = false;
const listeners = new Set<() => void>();

/** For the toaster: hands it the messages, those that came before it first. */
export function receiveToasts(receiver: Show) {
  show = receiver;
  for (const message of waiting.splice(0)) receiver(...message);
  return () => {
    show = undefined;
  };
}

const as =
  (type: ToastType) =>
  (title: ReactNode, options: ToastOptions = {}) => {
    if (show) return show(title, type, options);
    waiting.push([title, type, options]);
    isWanted = true;
    for (const listener of listeners) listener();
  };

/** Shows a short message: `toast('Note deleted', { action: { label: 'Undo', onClick } })`. Errors are announced at once. */
export const toast = Object.assign(as('default'), {
  success: as('success'),
  warning: as('warning'),
  error: as('error'),
});

/** Where messages appear. Stands once, in the shell. */
export function Toasts() {
  const isShown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => isWanted,
    () => false,
  );
  return isShown ? (
    <Suspense>
      <LazyToaster />
    </Suspense>
  ) : null;
}

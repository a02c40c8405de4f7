import { lazy, type ReactNode, Suspense, useSyncExternalStore } from 'react';
import { loadPart } from '@/kit/lib/deployment.ts';

export type ToastOptions = {
  description?: ReactNode;
  /** A button in the message, such as Undo. */
  action?: { label: string; onClick: () => void };
  /** In milliseconds; 8 s by default. The timer pauses on hover and on focus. */
  duration?: number;
};

export type ToastType = 'default' | 'success' | 'warning' | 'error';
type Show = (title: ReactNode, type: ToastType, options: ToastOptions) => void;

/** Loaded with the first message: most visits show none, and the home screen has a size budget. */
const LazyToaster = lazy(async () => ({ default: (await loadPart(() => import('./toaster.tsx'))).Toaster }));

const waiting: Parameters<Show>[] = [];
let show: Show | undefined;
let isWanted = false;
const listeners = new Set<() => void>();

/** Connects the toaster, which first receives the messages that were queued while it loaded. */
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

/** The place where messages appear. The shell renders it once. */
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

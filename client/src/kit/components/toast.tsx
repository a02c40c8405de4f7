import { useEffect, useState, useSyncExternalStore } from 'react';
import { Button, IconButton } from './button.tsx';

/** How long a message stays, in milliseconds: long enough to read, think and undo. */
const STAYS_MS = 8_000;

type Toast = {
  id: number;
  /** Its place from below. A message keeps it while others come and go, so that nothing jumps under a finger. */
  slot: number;
  message: string;
  action?: { label: string; run: () => void };
};

let toasts: Toast[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function update(next: Toast[]) {
  toasts = next;
  for (const listener of listeners) listener();
}

/**
 * Shows a short message for 8 s, longer while it is pointed at or focused.
 *
 * @param action A way back, as `{label: 'Undo', run}`.
 */
export function toast(message: string, action?: Toast['action']) {
  const slots = new Set(toasts.map(({ slot }) => slot));
  let slot = 0;
  while (slots.has(slot)) slot += 1;
  lastId += 1;
  update([...toasts, { id: lastId, slot, message, ...(action ? { action } : {}) }]);
}

const dismiss = (id: number) => update(toasts.filter((one) => one.id !== id));

function ToastCard({ id, slot, message, action }: Toast) {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(() => dismiss(id), STAYS_MS);
    return () => clearTimeout(timer);
  }, [id, held]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: holding it is a courtesy, the buttons inside do the work
    <div
      style={{ bottom: slot * 64 }}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
      className="rise pointer-events-auto absolute right-0 flex h-14 w-full items-center gap-2 rounded-lg border bg-surface pr-2 pl-4 text-sm shadow-overlay"
    >
      <p className="line-clamp-2 grow leading-snug wrap-anywhere">{message}</p>
      {action && (
        <Button
          onClick={() => {
            dismiss(id);
            action.run();
          }}
        >
          {action.label}
        </Button>
      )}
      <IconButton icon="close" label="Dismiss" onClick={() => dismiss(id)} />
    </div>
  );
}

/** Where messages appear. Stands once, in the shell. */
export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
    () => toasts,
  );
  return (
    <section
      aria-label="Messages"
      aria-live="polite"
      className="pointer-events-none fixed right-4 bottom-4 z-20 md:w-104 max-md:left-4 max-md:bottom-20"
    >
      {shown.map((one) => (
        <ToastCard key={one.id} {...one} />
      ))}
    </section>
  );
}

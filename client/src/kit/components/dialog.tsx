import { type ReactNode, useEffect, useId, useRef } from 'react';
import { IconButton } from './button.tsx';

type Props = {
  title: string;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
  /** The buttons at its foot, the main one last. */
  actions?: ReactNode;
};

/**
 * A modal on the browser's own `<dialog>`: focus stays inside and goes back afterwards, `Esc` and a press beside it close it.
 */
export function Dialog({ title, open, onClose, children, actions }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the press beside the dialog has a key already, Esc
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onClose={onClose}
      onClick={(event) => event.target === event.currentTarget && onClose()}
      className="m-auto w-[min(32rem,calc(100vw-2rem))] rounded-lg border bg-surface p-0 text-text shadow-overlay open:rise"
    >
      {open && (
        <div className="p-5">
          <div className="mb-3 flex items-start justify-between gap-4">
            <h2 id={id} className="text-lg">
              {title}
            </h2>
            <IconButton icon="close" label="Close" onClick={onClose} className="-mt-0.5 -mr-1.5" />
          </div>
          {children}
          {actions && <div className="mt-6 flex flex-wrap justify-end gap-2">{actions}</div>}
        </div>
      )}
    </dialog>
  );
}

import { AlertDialog as Base } from '@base-ui/react/alert-dialog';
import { type ReactElement, type ReactNode, useState } from 'react';
import { InDialog } from '@/kit/lib/overlay-root.ts';
import { cn, popupClass } from '@/kit/lib/styles.ts';
import { useAction } from '@/kit/lib/use-action.ts';
import { Button, buttonVariants } from './button.tsx';
import { DialogFooter, overlayClass } from './dialog.tsx';
import { ErrorNote } from './error-state.tsx';
import { Field } from './field.tsx';

type Props = {
  /** The button that opens it. */
  trigger: ReactElement;
  title: string;
  children: ReactNode;
  /** The label of the confirming button: "Delete project". */
  action: string;
  /** For what cannot be undone: the text to type before the button is enabled. */
  typed?: string;
  /** If it rejects, the dialog stays open and shows the error. */
  onConfirm: () => unknown;
};

/** Asks before an action that cannot be undone. A press outside does not close it. For what can be undone, act and offer Undo in a toast. */
export function Confirm({ trigger, title, children, action, typed, onConfirm }: Props) {
  const [isOpen, setOpen] = useState(false);
  const [words, setWords] = useState('');
  const isReady = typed === undefined || words === typed;
  const { isPending, failure, run, clearFailure } = useAction(async () => {
    await onConfirm();
    setOpen(false);
  });

  return (
    <Base.Root
      open={isOpen}
      onOpenChange={(open) => {
        setOpen(open);
        setWords('');
        clearFailure();
      }}
    >
      <Base.Trigger render={trigger} />
      <InDialog value={true}>
        <Base.Portal>
          <Base.Backdrop className={overlayClass} />
          <Base.Viewport className="fixed inset-0 z-20 flex overflow-y-auto p-4">
            <Base.Popup className={cn(popupClass, 'm-auto w-full max-w-md p-5 wrap-break-word')}>
              <Base.Title className="text-lg">{title}</Base.Title>
              <Base.Description render={<div />} className="mt-2 text-muted">
                {children}
              </Base.Description>
              <form
                onSubmit={(event) => {
                  event.preventDefault();
                  if (isReady && !isPending) run();
                }}
                className="mt-4 space-y-4"
              >
                {typed !== undefined && (
                  <Field
                    label={
                      <>
                        Type <code className="font-mono">{typed}</code> to confirm
                      </>
                    }
                    value={words}
                    autoComplete="off"
                    onChange={(event) => setWords(event.target.value)}
                  />
                )}
                {failure !== undefined && <ErrorNote error={failure} />}
                <DialogFooter>
                  <Base.Close className={buttonVariants({ variant: 'outline' })}>Cancel</Base.Close>
                  <Button type="submit" variant="destructive" disabled={!isReady} pending={isPending}>
                    {action}
                  </Button>
                </DialogFooter>
              </form>
            </Base.Popup>
          </Base.Viewport>
        </Base.Portal>
      </InDialog>
    </Base.Root>
  );
}

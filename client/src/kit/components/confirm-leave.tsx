import { AlertDialog as Base } from '@base-ui/react/alert-dialog';
import { cn, popupClass } from '@/kit/lib/styles.ts';
import { Button } from './button.tsx';
import { DialogFooter, overlayClass } from './dialog.tsx';

/** Asks before a form with unsaved text is left. `Esc` stays. `Form` loads it. */
export const ConfirmLeave = ({ stay, leave }: { stay: () => void; leave: () => void }) => (
  <Base.Root open onOpenChange={stay}>
    <Base.Portal>
      <Base.Backdrop className={overlayClass} />
      <Base.Viewport className="fixed inset-0 z-20 flex overflow-y-auto p-4">
        <Base.Popup className={cn(popupClass, 'm-auto w-full max-w-md p-5')}>
          <Base.Title className="text-lg">Leave without saving?</Base.Title>
          <Base.Description className="mt-2 text-muted">
            What you typed is lost if you leave.
          </Base.Description>
          <DialogFooter>
            <Button variant="outline" onClick={stay}>
              Stay
            </Button>
            <Button variant="destructive" onClick={leave}>
              Leave
            </Button>
          </DialogFooter>
        </Base.Popup>
      </Base.Viewport>
    </Base.Portal>
  </Base.Root>
);

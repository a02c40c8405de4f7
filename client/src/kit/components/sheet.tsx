import { Dialog as Base } from '@base-ui/react/dialog';
import type { ReactNode } from 'react';
import { InDialog } from '@/kit/lib/overlay-root.ts';
import { cn } from '@/kit/lib/styles.ts';
import { IconButton } from './button.tsx';
import { overlayClass } from './dialog.tsx';

/** A drawer at an edge of the window, for details, filters or navigation. */
export const Sheet = Base.Root;
export const SheetTrigger = Base.Trigger;
export const SheetClose = Base.Close;

const SIDES = {
  right:
    'inset-y-0 right-0 w-[min(26rem,100vw-2.5rem)] border-l data-starting-style:translate-x-full data-ending-style:translate-x-full',
  left: 'inset-y-0 left-0 w-[min(20rem,100vw-2.5rem)] border-r data-starting-style:-translate-x-full data-ending-style:-translate-x-full',
  bottom:
    'inset-x-0 bottom-0 max-h-[85dvh] rounded-t-lg border-t data-starting-style:translate-y-full data-ending-style:translate-y-full',
};

export const SheetContent = ({
  side = 'right',
  title,
  children,
}: {
  side?: keyof typeof SIDES;
  title: string;
  children: ReactNode;
}) => (
  <InDialog value={true}>
    <Base.Portal>
      <Base.Backdrop className={overlayClass} />
      <Base.Popup
        className={cn(
          'fixed z-20 flex flex-col bg-surface text-text shadow-overlay outline-none transition-transform',
          SIDES[side],
        )}
      >
        <div className="min-h-0 grow overflow-y-auto p-5">{children}</div>
        {/* Last in the DOM, so that Close does not take the initial focus. */}
        <div className="order-first flex items-center justify-between gap-4 border-b py-3 pr-3 pl-5">
          <Base.Title className="text-base">{title}</Base.Title>
          <Base.Close render={<IconButton icon="close" label="Close" />} />
        </div>
      </Base.Popup>
    </Base.Portal>
  </InDialog>
);

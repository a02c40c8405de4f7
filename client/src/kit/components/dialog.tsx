import { Dialog as Base } from '@base-ui/react/dialog';
import type { ComponentProps, ReactNode } from 'react';
import { InDialog } from '@/kit/lib/overlay-root.ts';
import { cn, popupClass } from '@/kit/lib/styles.ts';
import { IconButton } from './button.tsx';

/** A modal dialog. It focuses its first field, restores the focus when closed, and closes on `Esc` and on a press outside. */
export const Dialog = Base.Root;
export const DialogTrigger = Base.Trigger;
export const DialogClose = Base.Close;

export const overlayClass =
  'fixed inset-0 z-20 bg-backdrop transition-opacity data-ending-style:opacity-0 data-starting-style:opacity-0';

type Props = Omit<ComponentProps<typeof Base.Popup>, 'title'> & {
  title: ReactNode;
  description?: ReactNode;
  /** Replaces the default width, `max-w-lg`. */
  className?: string;
  children?: ReactNode;
};

export const DialogContent = ({ title, description, className = 'max-w-lg', children, ...rest }: Props) => (
  <InDialog value={true}>
    <Base.Portal>
      <Base.Backdrop className={overlayClass} />
      <Base.Viewport className="fixed inset-0 z-20 flex overflow-y-auto p-4">
        <Base.Popup
          className={cn(popupClass, 'relative m-auto w-full p-5 wrap-break-word', className)}
          {...rest}
        >
          <Base.Title className="mb-3 pr-10 text-lg">{title}</Base.Title>
          {description && (
            <Base.Description className="-mt-2 mb-4 text-sm text-muted">{description}</Base.Description>
          )}
          {children}
          {/* Last in the DOM, so that it does not take the initial focus. */}
          <Base.Close render={<IconButton icon="close" label="Close" />} className="absolute top-4 right-3" />
        </Base.Popup>
      </Base.Viewport>
    </Base.Portal>
  </InDialog>
);

/** The buttons, primary last. */
export const DialogFooter = (props: ComponentProps<'div'>) => (
  <div className="mt-6 flex flex-wrap justify-end gap-2" {...props} />
);

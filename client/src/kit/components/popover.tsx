import { Popover as Base } from '@base-ui/react/popover';
import type { ComponentProps, ReactNode } from 'react';
import { cn, popupClass } from '@/kit/lib/styles.ts';

/** A small panel anchored to its button. */
export const Popover = Base.Root;
export const PopoverTrigger = Base.Trigger;
export const PopoverClose = Base.Close;

export const PopoverContent = ({
  title,
  align = 'start',
  side = 'bottom',
  className,
  children,
}: Pick<ComponentProps<typeof Base.Positioner>, 'align' | 'side'> & {
  title: string;
  className?: string;
  children: ReactNode;
}) => (
  <Base.Portal>
    <Base.Positioner sideOffset={4} collisionPadding={8} align={align} side={side} className="z-30">
      <Base.Popup className={cn(popupClass, 'w-72 max-w-[calc(100vw-1rem)] p-4 text-sm', className)}>
        <Base.Title className="mb-2 text-sm">{title}</Base.Title>
        {children}
      </Base.Popup>
    </Base.Positioner>
  </Base.Portal>
);

import { Combobox as Base } from '@base-ui/react/combobox';
import type { ComponentProps, ReactNode } from 'react';
import { useFieldControl } from '@/kit/lib/field-control.ts';
import { useOverlayRoot } from '@/kit/lib/overlay-root.ts';
import { cn, inputClass, optionClass, popupClass } from '@/kit/lib/styles.ts';
import { Icon } from './icon.tsx';

/** A select with search. For results of a server pass `items`, `filter={null}` and `onInputValueChange`. */
export const Combobox = Base.Root;

export const ComboboxInput = ({
  className,
  ...rest
}: ComponentProps<typeof Base.Input> & { className?: string }) => (
  <Base.InputGroup className={cn('relative', className)}>
    <Base.Input className={cn(inputClass, 'pr-16')} {...useFieldControl()} {...rest} />
    <span className="absolute inset-y-0 right-1 flex items-center text-muted">
      <Base.Clear
        aria-label="Clear"
        className="flex size-7 items-center justify-center rounded-md hover:text-text"
      >
        <Icon name="close" />
      </Base.Clear>
      <Base.Trigger
        aria-label="Show choices"
        className="flex size-7 items-center justify-center rounded-md hover:text-text"
      >
        <Icon name="chevrons" />
      </Base.Trigger>
    </span>
  </Base.InputGroup>
);

/** The list: a `ComboboxItem` for each item. @param empty Shown when nothing matches. */
export const ComboboxContent = ({
  empty = 'No matches.',
  children,
}: {
  empty?: ReactNode;
  children: ComponentProps<typeof Base.List>['children'];
}) => (
  <Base.Portal container={useOverlayRoot()}>
    <Base.Positioner sideOffset={6} className="z-30 outline-none">
      <Base.Popup
        className={cn(
          popupClass,
          'max-h-[min(20rem,var(--available-height))] w-(--anchor-width) overflow-y-auto p-1',
        )}
      >
        <Base.Empty className="px-2 py-1.5 text-sm text-muted empty:hidden">{empty}</Base.Empty>
        <Base.List>{children}</Base.List>
      </Base.Popup>
    </Base.Positioner>
  </Base.Portal>
);

export const ComboboxItem = ({ children, ...rest }: ComponentProps<typeof Base.Item>) => (
  <Base.Item className={optionClass} {...rest}>
    <span className="grow">{children}</span>
    <Base.ItemIndicator>
      <Icon name="check" />
    </Base.ItemIndicator>
  </Base.Item>
);

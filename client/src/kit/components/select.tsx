import { Select as Base } from '@base-ui/react/select';
import type { ComponentProps } from 'react';
import { useFieldControl } from '@/kit/lib/field-control.ts';
import { useOverlayRoot } from '@/kit/lib/overlay-root.ts';
import { cn, optionClass, popupClass, triggerClass } from '@/kit/lib/styles.ts';
import { Icon } from './icon.tsx';

/** A select with styled options. `items` maps values to labels. In toolbars prefer `NativeSelect`, which needs no script. */
export const Select = Base.Root;
export const SelectGroup = Base.Group;
export const SelectValue = Base.Value;

export const SelectTrigger = ({
  className,
  children,
  ...rest
}: ComponentProps<typeof Base.Trigger> & { className?: string }) => (
  <Base.Trigger className={cn(triggerClass, className)} {...useFieldControl()} {...rest}>
    {children}
    <Base.Icon className="text-muted">
      <Icon name="chevrons" />
    </Base.Icon>
  </Base.Trigger>
);

export const SelectContent = ({ children }: { children: ComponentProps<typeof Base.Popup>['children'] }) => (
  <Base.Portal container={useOverlayRoot()}>
    <Base.Positioner sideOffset={4} alignItemWithTrigger={false} className="z-30 outline-none">
      <Base.Popup
        className={cn(popupClass, 'max-h-(--available-height) min-w-(--anchor-width) overflow-y-auto p-1')}
      >
        <Base.List>{children}</Base.List>
      </Base.Popup>
    </Base.Positioner>
  </Base.Portal>
);

export const SelectItem = ({ children, ...rest }: ComponentProps<typeof Base.Item>) => (
  <Base.Item className={optionClass} {...rest}>
    <Base.ItemText className="grow">{children}</Base.ItemText>
    <Base.ItemIndicator>
      <Icon name="check" />
    </Base.ItemIndicator>
  </Base.Item>
);

export const SelectLabel = (props: ComponentProps<typeof Base.GroupLabel>) => (
  <Base.GroupLabel className="px-2 py-1 text-xs text-muted" {...props} />
);

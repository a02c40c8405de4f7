import { Menu as Base } from '@base-ui/react/menu';
import type { ComponentProps, ReactNode } from 'react';
import { useOverlayRoot } from '@/kit/lib/overlay-root.ts';
import { cn, optionClass, popupClass } from '@/kit/lib/styles.ts';
import { Icon, type IconName } from './icon.tsx';

/** A menu of actions. Pass the button as the trigger's `render`. */
export const DropdownMenu = Base.Root;
export const DropdownMenuTrigger = Base.Trigger;
export const DropdownMenuGroup = Base.Group;
export const DropdownMenuRadioGroup = Base.RadioGroup;

export const DropdownMenuContent = ({
  align = 'start',
  side = 'bottom',
  className,
  children,
}: Pick<ComponentProps<typeof Base.Positioner>, 'align' | 'side'> & {
  className?: string;
  children: ReactNode;
}) => (
  <Base.Portal container={useOverlayRoot()}>
    <Base.Positioner
      sideOffset={4}
      collisionPadding={8}
      align={align}
      side={side}
      className="z-30 outline-none"
    >
      <Base.Popup
        className={cn(popupClass, 'max-h-(--available-height) min-w-44 overflow-y-auto p-1', className)}
      >
        {children}
      </Base.Popup>
    </Base.Positioner>
  </Base.Portal>
);

export const DropdownMenuItem = ({
  icon,
  variant = 'default',
  children,
  ...rest
}: ComponentProps<typeof Base.Item> & { icon?: IconName; variant?: 'default' | 'destructive' }) => (
  <Base.Item className={cn(optionClass, variant === 'destructive' && 'text-failing')} {...rest}>
    {icon && <Icon name={icon} />}
    {children}
  </Base.Item>
);

export const DropdownMenuCheckboxItem = ({ children, ...rest }: ComponentProps<typeof Base.CheckboxItem>) => (
  <Base.CheckboxItem className={optionClass} {...rest}>
    <span className="grow">{children}</span>
    <span className="size-4">
      <Base.CheckboxItemIndicator>
        <Icon name="check" />
      </Base.CheckboxItemIndicator>
    </span>
  </Base.CheckboxItem>
);

export const DropdownMenuRadioItem = ({
  icon,
  children,
  ...rest
}: ComponentProps<typeof Base.RadioItem> & { icon?: IconName }) => (
  <Base.RadioItem className={optionClass} {...rest}>
    {icon && <Icon name={icon} />}
    <span className="grow">{children}</span>
    <span className="size-4">
      <Base.RadioItemIndicator>
        <Icon name="check" />
      </Base.RadioItemIndicator>
    </span>
  </Base.RadioItem>
);

/** The name of a `DropdownMenuGroup`. */
export const DropdownMenuLabel = (props: ComponentProps<typeof Base.GroupLabel>) => (
  <Base.GroupLabel className="px-2 py-1.5 text-xs text-muted" {...props} />
);

export const DropdownMenuSeparator = () => <Base.Separator className="-mx-1 my-1 border-t" />;

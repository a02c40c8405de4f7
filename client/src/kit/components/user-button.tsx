import type { ComponentProps } from 'react';
import { cn } from '@/kit/lib/styles.ts';
import { Avatar } from './avatar.tsx';
import { Icon } from './icon.tsx';

/** The button of the sidebar that opens the signed-in user's menu. The name is beside the picture where there is room. */
export const UserButton = ({ name, className, ...rest }: ComponentProps<'button'> & { name: string }) => (
  <button
    type="button"
    className={cn(
      'flex h-11 w-full min-w-0 items-center gap-2.5 rounded-md px-2 text-left text-sm transition-colors hover:bg-hover data-popup-open:bg-hover md:h-9 md:justify-center md:px-0 md:pointer-coarse:h-11 lg:px-2',
      className,
    )}
    {...rest}
  >
    <span className="sr-only">Account of {name}</span>
    <Avatar name={name} className="size-6" />
    <span aria-hidden="true" className="min-w-0 grow truncate md:max-lg:hidden">
      {name}
    </span>
    <span className="text-muted md:max-lg:hidden">
      <Icon name="chevrons" />
    </span>
  </button>
);

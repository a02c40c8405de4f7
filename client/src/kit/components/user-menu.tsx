import type { ReactNode } from 'react';
import { setTheme, type Theme, useTheme } from '@/kit/lib/theme.ts';
import { Avatar } from './avatar.tsx';
import {
  DropdownMenu,
  DropdownMenuContent,
  DropdownMenuGroup,
  DropdownMenuItem,
  DropdownMenuLabel,
  DropdownMenuRadioGroup,
  DropdownMenuRadioItem,
  DropdownMenuSeparator,
  DropdownMenuTrigger,
} from './dropdown-menu.tsx';
import { Icon } from './icon.tsx';

type Props = {
  name: string;
  email: string;
  picture?: string;
  /** In the sidebar: with the name beside the picture where there is room. */
  wide?: boolean;
  /** `DropdownMenuItem`s: account, organisations. */
  children?: ReactNode;
  onSignOut: () => void;
};

/** The signed-in user's menu: their links, the theme, and sign-out. */
export const UserMenu = ({ name, email, picture, wide = false, children, onSignOut }: Props) => (
  <DropdownMenu>
    <DropdownMenuTrigger
      className={
        wide
          ? 'flex h-11 w-full min-w-0 items-center gap-2.5 rounded-md px-2 text-left text-sm transition-colors hover:bg-hover data-popup-open:bg-hover md:h-9 md:justify-center md:px-0 md:pointer-coarse:h-11 lg:px-2'
          : 'inline-flex items-center justify-center rounded-full pointer-coarse:size-11 max-md:size-11'
      }
    >
      <span className="sr-only">Account of {name}</span>
      <Avatar
        name={name}
        {...(wide && { className: 'size-6' })}
        {...(picture === undefined ? {} : { src: picture })}
      />
      {wide && (
        <>
          <span aria-hidden="true" className="min-w-0 grow truncate md:max-lg:hidden">
            {name}
          </span>
          <span className="text-muted md:max-lg:hidden">
            <Icon name="chevrons" />
          </span>
        </>
      )}
    </DropdownMenuTrigger>
    <DropdownMenuContent align={wide ? 'start' : 'end'} className="w-60">
      <div className="px-2 py-1.5 text-sm">
        <p className="truncate font-medium">{name}</p>
        <p className="truncate text-muted">{email}</p>
      </div>
      <DropdownMenuSeparator />
      {children && (
        <>
          {children}
          <DropdownMenuSeparator />
        </>
      )}
      <ThemeItems />
      <DropdownMenuSeparator />
      <DropdownMenuItem icon="signOut" onClick={onSignOut}>
        Sign out
      </DropdownMenuItem>
    </DropdownMenuContent>
  </DropdownMenu>
);

/** The theme choice, for use inside a menu. */
export function ThemeItems() {
  const theme = useTheme();
  return (
    <DropdownMenuGroup>
      <DropdownMenuLabel>Theme</DropdownMenuLabel>
      <DropdownMenuRadioGroup value={theme} onValueChange={(value: Theme) => setTheme(value)}>
        <DropdownMenuRadioItem value="system" icon="screen" closeOnClick>
          System
        </DropdownMenuRadioItem>
        <DropdownMenuRadioItem value="light" icon="sun" closeOnClick>
          Light
        </DropdownMenuRadioItem>
        <DropdownMenuRadioItem value="dark" icon="moon" closeOnClick>
          Dark
        </DropdownMenuRadioItem>
      </DropdownMenuRadioGroup>
    </DropdownMenuGroup>
  );
}

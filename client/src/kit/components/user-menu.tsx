import type { ReactNode } from 'react';
import { setTheme, type Theme, useTheme } from '@/kit/lib/theme.ts';
import {
  DropdownMenuContent,
  DropdownMenuGroup,
  DropdownMenuItem,
  DropdownMenuLabel,
  DropdownMenuRadioGroup,
  DropdownMenuRadioItem,
  DropdownMenuSeparator,
} from './dropdown-menu.tsx';

/** What the menu of a `UserButton` holds: the user's links, the theme, and sign-out. */
export const UserMenuContent = ({
  name,
  email,
  children,
  onSignOut,
}: {
  name: string;
  email: string;
  /** `DropdownMenuItem`s: account, organisations. */
  children?: ReactNode;
  onSignOut: () => void;
}) => (
  <DropdownMenuContent className="w-60">
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

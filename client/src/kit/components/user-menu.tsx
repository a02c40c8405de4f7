import type { ComponentProps, ReactNode } from 'react';
import { setTheme, type Theme, useTheme } from '@/kit/lib/theme.ts';
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
import { UserButton } from './user-button.tsx';

type Props = ComponentProps<typeof UserButton> & ComponentProps<typeof UserMenuContent>;

/** The signed-in user's menu: their links, the theme, and sign-out. */
export const UserMenu = ({ name, picture, wide = false, ...content }: Props) => (
  <DropdownMenu>
    <DropdownMenuTrigger
      render={<UserButton name={name} wide={wide} {...(picture !== undefined && { picture })} />}
    />
    <UserMenuContent name={name} align={wide ? 'start' : 'end'} {...content} />
  </DropdownMenu>
);

/** What the user's menu holds. */
export const UserMenuContent = ({
  name,
  email,
  align = 'start',
  children,
  onSignOut,
}: {
  name: string;
  email: string;
  align?: 'start' | 'end';
  /** `DropdownMenuItem`s: account, organisations. */
  children?: ReactNode;
  onSignOut: () => void;
}) => (
  <DropdownMenuContent align={align} className="w-60">
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

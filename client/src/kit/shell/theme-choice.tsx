import type { ReactElement } from 'react';
import { DropdownMenu, DropdownMenuContent, DropdownMenuTrigger } from '@/kit/components/dropdown-menu.tsx';
import { ThemeItems } from '@/kit/components/user-menu.tsx';

/** The menu of themes, open. */
export const ThemeChoice = ({ button }: { button: ReactElement }) => (
  <DropdownMenu defaultOpen>
    <DropdownMenuTrigger render={button} />
    <DropdownMenuContent side="top">
      <ThemeItems />
    </DropdownMenuContent>
  </DropdownMenu>
);

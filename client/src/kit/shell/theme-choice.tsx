import type { ReactElement } from 'react';
import { DropdownMenu, DropdownMenuContent, DropdownMenuTrigger } from '@/kit/components/dropdown-menu.tsx';
import { ThemeItems } from '@/kit/components/user-menu.tsx';

/** The theme menu, initially open. */
export const ThemeChoice = ({ button }: { button: ReactElement }) => (
  <DropdownMenu defaultOpen>
    <DropdownMenuTrigger render={button} />
    <DropdownMenuContent side="top">
      <ThemeItems />
    </DropdownMenuContent>
  </DropdownMenu>
);

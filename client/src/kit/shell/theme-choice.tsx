import type { ReactElement } from 'react';
import { DropdownMenuContent } from '@/kit/components/dropdown-menu.tsx';
import { OpenedMenu } from '@/kit/components/opened-menu.tsx';
import { ThemeItems } from '@/kit/components/user-menu.tsx';

/** The theme menu. */
export const ThemeChoice = ({ button }: { button: ReactElement }) => (
  <OpenedMenu button={button}>
    <DropdownMenuContent side="top">
      <ThemeItems />
    </DropdownMenuContent>
  </OpenedMenu>
);

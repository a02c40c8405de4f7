import { type ReactElement, useEffect, useRef } from 'react';
import { DropdownMenu, DropdownMenuContent, DropdownMenuTrigger } from '@/kit/components/dropdown-menu.tsx';
import { ThemeItems } from '@/kit/components/user-menu.tsx';

/** The theme menu. It opens as soon as it is here, as the press that has loaded it would have opened it. */
export function ThemeChoice({ button }: { button: ReactElement }) {
  const trigger = useRef<HTMLButtonElement>(null);
  const wasPressed = useRef(false);
  useEffect(() => {
    if (wasPressed.current) return;
    wasPressed.current = true;
    trigger.current?.click();
  }, []);
  return (
    <DropdownMenu>
      <DropdownMenuTrigger ref={trigger} render={button} />
      <DropdownMenuContent side="top">
        <ThemeItems />
      </DropdownMenuContent>
    </DropdownMenu>
  );
}

import { type ReactElement, type ReactNode, useEffect, useRef } from 'react';
import { DropdownMenu, DropdownMenuTrigger } from './dropdown-menu.tsx';

/** A menu that opens as soon as it is here, as the press that has loaded it would have opened it. */
export function OpenedMenu({ button, children }: { button: ReactElement; children: ReactNode }) {
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
      {children}
    </DropdownMenu>
  );
}

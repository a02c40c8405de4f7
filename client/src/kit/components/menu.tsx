import { type KeyboardEvent, type ReactNode, useId, useRef } from 'react';
import { IconButton } from './button.tsx';
import { Icon, type IconName } from './icon.tsx';

export type MenuItem = {
  label: string;
  icon?: IconName;
  /** For one choice among several: whether it is the chosen one. */
  checked?: boolean;
  danger?: boolean;
  onSelect: () => void;
};

type Props = { label: string; icon?: IconName; items: MenuItem[]; trigger?: ReactNode };

/** Puts the open menu under its button, or above it where there is no room, and within the window. */
function place(menu: HTMLElement, button: HTMLElement) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = at.bottom + 4 + height <= innerHeight;
  menu.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - 4 - height)}px`;
  menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
}

/** A menu on the browser's own popover: it closes by `Esc` and by a press elsewhere; arrow keys go through it. */
export function Menu({ label, icon = 'dots', items, trigger }: Props) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);

  const onKeyDown = (event: KeyboardEvent) => {
    const options = [...(menu.current?.querySelectorAll<HTMLElement>('button') ?? [])];
    const at = options.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + options.length, Home: 0, End: options.length - 1 }[
      event.key
    ];
    if (event.key === 'Tab') menu.current?.hidePopover();
    if (to === undefined) return;
    event.preventDefault();
    options[to % options.length]?.focus();
  };

  const shared = { ref: button, popoverTarget: id, 'aria-haspopup': 'menu' as const };
  return (
    <>
      {trigger ? (
        <button type="button" {...shared} className="flex items-center gap-2 rounded-md">
          {trigger}
        </button>
      ) : (
        <IconButton icon={icon} label={label} {...shared} />
      )}
      <div
        ref={menu}
        id={id}
        popover="auto"
        role="menu"
        aria-label={label}
        tabIndex={-1}
        onKeyDown={onKeyDown}
        onToggle={(event) => {
          if (event.newState !== 'open' || !menu.current || !button.current) return;
          place(menu.current, button.current);
          const { current } = menu;
          const first =
            current.querySelector<HTMLElement>('[aria-checked=true]') ?? current.querySelector('button');
          first?.focus();
        }}
        className="fixed inset-auto m-0 min-w-44 rounded-lg border bg-surface p-1 text-text shadow-overlay open:rise"
      >
        {items.map((item) => (
          // biome-ignore lint/a11y/useAriaPropsSupportedByRole: its role is a menu item's, and has been chosen to support it
          <button
            key={item.label}
            type="button"
            role={item.checked === undefined ? 'menuitem' : 'menuitemradio'}
            aria-checked={item.checked}
            tabIndex={-1}
            onClick={() => {
              menu.current?.hidePopover();
              item.onSelect();
            }}
            className={`flex min-h-8 w-full items-center gap-2 rounded-md px-2 text-left text-sm hover:bg-hover focus:bg-hover pointer-coarse:min-h-11 max-md:min-h-11 ${item.danger ? 'text-failing' : ''}`}
          >
            {item.icon && <Icon name={item.icon} />}
            <span className="grow">{item.label}</span>
            {item.checked && <Icon name="check" />}
          </button>
        ))}
      </div>
    </>
  );
}

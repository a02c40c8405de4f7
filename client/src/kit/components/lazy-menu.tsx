import {
  cloneElement,
  type KeyboardEvent,
  type ReactElement,
  type ReactNode,
  Suspense,
  useState,
} from 'react';

type Button = ReactElement<{
  'aria-haspopup'?: 'menu';
  onPointerEnter?: () => void;
  onFocus?: () => void;
  onClick?: () => void;
  onKeyDown?: (event: KeyboardEvent) => void;
}>;

/**
 * A button whose menu loads when the pointer or the focus reaches it, and opens on the first press or arrow key.
 *
 * @param load Loads the menu's code.
 * @param children The menu, a `lazy` component: an `OpenedMenu` around the button.
 */
export function LazyMenu({
  load,
  button: plain,
  children,
}: {
  load: () => Promise<unknown>;
  button: Button;
  children: (button: ReactElement) => ReactNode;
}) {
  const [isAsked, setAsked] = useState(false);
  // If loading early fails, the press tries again.
  const preload = () => {
    load().catch(() => {});
  };
  const button = cloneElement(plain, {
    'aria-haspopup': 'menu',
    onPointerEnter: preload,
    onFocus: preload,
    onClick: () => setAsked(true),
    onKeyDown: (event) => {
      if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
      event.preventDefault();
      setAsked(true);
    },
  });
  return isAsked ? <Suspense fallback={button}>{children(plain)}</Suspense> : button;
}

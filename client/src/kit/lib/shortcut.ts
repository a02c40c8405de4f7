import { useEffectEvent, useLayoutEffect } from 'react';

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select'));

/** Overlays that take the keyboard while open. */
const OVERLAYS = 'dialog[open], [role=dialog], [role=alertdialog], [role=menu], [role=listbox][data-open]';

/**
 * Registers a keyboard shortcut for the whole page.
 *
 * @param key `n`, `/`, `Escape`, or `mod+k` and `mod+s`, where `mod` is ⌘ on Apple's machines and Ctrl elsewhere.
 *   Plain keys are ignored in text boxes and while a dialog or menu is open.
 */
export function useShortcut(key: string, action: (event: KeyboardEvent) => void, enabled = true) {
  const run = useEffectEvent(action);
  // Before the screen is shown: a key that is pressed right then would be lost.
  useLayoutEffect(() => {
    if (!enabled) return;
    const [plain, withMod] = key.startsWith('mod+') ? [key.slice(4), true] : [key, false];
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.altKey || event.key.toLowerCase() !== plain.toLowerCase()) return;
      if ((event.metaKey || event.ctrlKey) !== withMod) return;
      if (!withMod && (isTyping(event.target) || document.querySelector(OVERLAYS))) return;
      event.preventDefault();
      run(event);
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, [key, enabled]);
}

/** The name of the `mod` key on this machine. */
export const modKey = () => (/Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘' : 'Ctrl');

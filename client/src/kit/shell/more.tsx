import { type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { Icon } from '@/kit/components/icon.tsx';
import { setTheme, type Theme, useTheme } from '@/kit/lib/theme.ts';

const THEMES: [theme: Theme, label: string][] = [
  ['system', 'System'],
  ['light', 'Light'],
  ['dark', 'Dark'],
];

/** The last entry of the bar on phones: what the bar has no room for, and the theme. It closes on `Esc` and when something is chosen. */
export function More({ className, children }: { className: string; children: ReactNode }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const [isOpen, setOpen] = useState(false);
  const theme = useTheme();

  useEffect(() => {
    if (!isOpen) return;
    const onPress = ({ target }: Event) => {
      const isInside = [button, panel].some(({ current }) => current?.contains(target as Node));
      if (!isInside && !(target as Element).closest('[role=menu], [role=dialog]')) setOpen(false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || event.defaultPrevented) return;
      setOpen(false);
      button.current?.focus();
    };
    document.addEventListener('pointerdown', onPress);
    document.addEventListener('keydown', onKey);
    return () => {
      document.removeEventListener('pointerdown', onPress);
      document.removeEventListener('keydown', onKey);
    };
  }, [isOpen]);

  return (
    <>
      <button
        ref={button}
        type="button"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setOpen(!isOpen)}
        className={`${className} md:hidden`}
      >
        <Icon name="dots" className="size-5" />
        More
      </button>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: hears the clicks of the links inside */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: a link's key is a click */}
      <div
        ref={panel}
        id={id}
        hidden={!isOpen}
        onClick={({ target }) => (target as Element).closest('a') && setOpen(false)}
        className="fixed inset-x-2 bottom-[calc(var(--bar)+0.5rem)] space-y-1 rounded-lg border bg-surface p-2 shadow-overlay md:hidden"
      >
        {children}
        <fieldset className="flex items-center gap-1 border-t pt-2">
          <legend className="sr-only">Theme</legend>
          {THEMES.map(([value, label]) => (
            <button
              key={value}
              type="button"
              aria-pressed={theme === value}
              onClick={() => setTheme(value)}
              className="min-h-11 grow rounded-md text-sm text-muted aria-pressed:bg-hover aria-pressed:font-medium aria-pressed:text-text"
            >
              {label}
            </button>
          ))}
        </fieldset>
      </div>
    </>
  );
}

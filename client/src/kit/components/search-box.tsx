import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { useShortcut } from '@/kit/lib/shortcut.ts';
import { inputClass } from '@/kit/lib/styles.ts';
import { useDebounced } from '@/kit/lib/use-debounced.ts';
import { Icon } from './icon.tsx';
import { Kbd } from './kbd.tsx';

/** A search starts when nothing was typed for this long, in milliseconds. */
const SEARCH_AFTER_MS = 200;

/**
 * The search of a list. What is typed goes to `search` in the address, and other changes of the address come back to it.
 * `/` focuses it, `Esc` empties it, and an arrow goes down to the `RecordList`.
 */
export function SearchBox({ label, maxLength = 200 }: { label: string; maxLength?: number }) {
  const box = useRef<HTMLInputElement>(null);
  const [text, setText] = useSearchText();
  useShortcut('/', () => box.current?.focus());
  return (
    <div className="relative">
      <Icon
        name="search"
        className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-muted"
      />
      <input
        ref={box}
        type="search"
        aria-label={label}
        aria-keyshortcuts="/"
        placeholder="Search"
        maxLength={maxLength}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape' && text !== '') {
            event.preventDefault();
            setText('');
          }
          if (event.key === 'ArrowDown') {
            event.preventDefault();
            document.querySelector<HTMLElement>('[data-row][tabindex="0"]')?.focus();
          }
        }}
        className={`${inputClass} pr-9 pl-9 [&::-webkit-search-cancel-button]:hidden`}
      />
      <span
        aria-hidden="true"
        className="pointer-events-none absolute inset-y-0 right-2 flex items-center max-md:hidden"
      >
        <Kbd>/</Kbd>
      </span>
    </div>
  );
}

function useSearchText() {
  const navigate = useNavigate();
  const { search = '' } = useSearch({ strict: false }) as { search?: string };
  const [text, setText] = useState(search);
  const [seen, setSeen] = useState(search);
  const settled = useDebounced(text.trim(), SEARCH_AFTER_MS);
  if (search !== seen) {
    setSeen(search);
    if (search !== settled) setText(search);
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what was typed starts a search, not the address it leads to
  useEffect(() => {
    if (settled === search) return;
    const next = (before: object) => ({ ...before, search: settled || undefined });
    void navigate({ to: '.', search: next as never, replace: true });
  }, [settled]);
  return [text, setText] as const;
}

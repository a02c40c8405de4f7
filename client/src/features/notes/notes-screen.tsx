import { getRouteApi, Outlet, useMatchRoute } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { IconButton } from '@/kit/components/button.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { Kbd } from '@/kit/components/kbd.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { withServerData } from '@/kit/lib/server-data.tsx';
import { useShortcut } from '@/kit/lib/shortcut.ts';
import { inputClass } from '@/kit/lib/styles.ts';
import { useDebounced } from '@/kit/lib/use-debounced.ts';
import { NewNoteBox } from './new-note-box.tsx';
import { NoteList } from './note-list.tsx';
import { useLiveNotes } from './notes-queries.ts';

const route = getRouteApi('/notes');

/** Debounce of the search, in milliseconds. */
const SEARCH_AFTER_MS = 200;

/** Notes: the list and the note side by side, or one after the other on phones. */
export const NotesScreen = withServerData(function NotesScreen() {
  const navigate = route.useNavigate();
  const { search = '', new: isNew } = route.useSearch();
  useLiveNotes();
  const isOpen = Boolean(useMatchRoute()({ to: '/notes/$id' }));
  const box = useRef<HTMLInputElement>(null);
  const [text, setText] = useSearchText(search);

  const openNew = () => navigate({ to: '/notes', search: { new: true } });
  useShortcut('n', openNew);
  useShortcut('/', () => box.current?.focus());

  return (
    <div className="grid h-[calc(100dvh-57px-env(safe-area-inset-bottom))] grid-cols-[minmax(0,1fr)] md:h-dvh md:grid-cols-[minmax(16rem,22rem)_minmax(0,1fr)]">
      <section
        aria-label="List of notes"
        className={`col-start-1 row-start-1 flex min-h-0 flex-col md:border-r ${isOpen ? 'max-md:invisible' : ''}`}
      >
        <div className="px-4 pt-4 pb-3">
          <div className="mb-3 flex items-center justify-between">
            <ScreenHeading title="Notes" className="text-lg" />
            <IconButton icon="plus" label="New note (N)" aria-keyshortcuts="n" onClick={openNew} />
          </div>
          <div className="relative">
            <Icon
              name="search"
              className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-muted"
            />
            <input
              ref={box}
              type="search"
              aria-label="Search notes"
              aria-keyshortcuts="/"
              placeholder="Search"
              maxLength={200}
              value={text}
              onChange={(event) => setText(event.target.value)}
              onKeyDown={(event) => {
                if (event.key === 'Escape' && text !== '') {
                  event.preventDefault();
                  setText('');
                }
                if (event.key === 'ArrowDown') {
                  event.preventDefault();
                  document.querySelector<HTMLElement>('[data-note-row][tabindex="0"]')?.focus();
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
        </div>
        {isNew && <NewNoteBox onClose={() => navigate({ to: '/notes', search: {}, replace: true })} />}
        <NoteList search={search} onNew={openNew} />
      </section>
      <section
        aria-label="Note"
        className={`min-h-0 min-w-0 overflow-y-auto max-md:col-start-1 max-md:row-start-1 ${isOpen ? 'max-md:z-[1] max-md:bg-background' : 'max-md:invisible'}`}
      >
        <Outlet />
        {!isOpen && (
          <div className="grid h-full place-items-center">
            <Empty icon="note" title="Choose a note to read it">
              <p>
                <Kbd>N</Kbd> makes a new one, <Kbd>/</Kbd> searches, <Kbd>↑</Kbd> <Kbd>↓</Kbd> go through the
                list.
              </p>
            </Empty>
          </div>
        )}
      </section>
    </div>
  );
});

/** The text of the search box: what is typed goes to the address, and other changes of the address come back to it. */
function useSearchText(search: string) {
  const navigate = route.useNavigate();
  const [text, setText] = useState(search);
  const [seen, setSeen] = useState(search);
  const settled = useDebounced(text.trim(), SEARCH_AFTER_MS);
  if (search !== seen) {
    setSeen(search);
    if (search !== settled) setText(search);
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: typing starts a search, a changed address does not
  useEffect(() => {
    if (settled === search) return;
    navigate({ to: '.', search: (before) => ({ ...before, search: settled || undefined }), replace: true });
  }, [settled]);
  return [text, setText] as const;
}

import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { NoteSummary } from '#contracts/notes.ts';
import { Button } from '@/components/button.tsx';
import { EmptyState } from '@/components/empty-state.tsx';
import { ErrorNote, ErrorState } from '@/components/error-state.tsx';
import { Skeleton } from '@/components/skeleton.tsx';
import { ago, exactly } from '@/lib/format.ts';
import { notesQuery, useDeleteNote } from './notes-queries.ts';

/** The height of a row in pixels. It is the same for each, so that any number of them is placed without measuring. */
const ROW_PX = 72;

/** The next page is asked for while this many rows are still below: some screens ahead of a fast finger. */
const ROWS_AHEAD = 50;

/** The list: only the rows in sight exist, however many there are. */
export function NoteList({ search, onNew }: { search: string; onNew: () => void }) {
  const navigate = useNavigate();
  const { id: openId } = useParams({ strict: false });
  const query = useInfiniteQuery(notesQuery(search));
  const remove = useDeleteNote();
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = query;
  const notes = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const current = Math.min(active, notes.length - 1);
  // Who comes back from a note finds the focus on its row.
  const [lastOpen, setLastOpen] = useState(openId);
  if (openId !== undefined && openId !== lastOpen) setLastOpen(openId);

  const rows = useVirtualizer({
    count: notes.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 8,
    useFlushSync: false,
  });
  const visible = rows.getVirtualItems();
  const lastVisible = visible.at(-1)?.index ?? 0;

  useEffect(() => {
    if (
      hasNextPage &&
      !isFetchingNextPage &&
      !isFetchNextPageError &&
      lastVisible >= notes.length - ROWS_AHEAD
    )
      fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, isFetchNextPageError, lastVisible, notes.length, fetchNextPage]);

  // A search shows its first results, wherever the list before it had been scrolled to.
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new search is a reason to scroll, not something that is read
  useEffect(() => {
    setActive(0);
    scroller.current?.scrollTo({ top: 0 });
  }, [search]);

  const rowAt = (index: number) => scroller.current?.querySelector<HTMLElement>(`[data-note-row="${index}"]`);

  const focusRow = (index: number) => {
    setActive(index);
    rows.scrollToIndex(index);
    // The row may only exist after the list has been drawn at its new place.
    requestAnimationFrame(() => requestAnimationFrame(() => rowAt(index)?.focus()));
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const to = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: notes.length - 1 }[event.key];
    const note = notes[current];
    if (to !== undefined) focusRow(Math.max(0, Math.min(to, notes.length - 1)));
    else if (event.key === 'Delete' && note && note.id > 0) {
      if (openId === String(note.id)) navigate({ to: '/notes', search: { search: search || undefined } });
      // The neighbour takes the focus while both exist, and keeps it when it moves up.
      const neighbour = current < notes.length - 1 ? current + 1 : current - 1;
      rowAt(neighbour)?.focus();
      setActive(Math.min(current, neighbour));
      remove.mutate(note);
    } else return;
    event.preventDefault();
  };

  if (query.isError && !query.data) {
    return <ErrorState error={query.error} onRetry={() => query.refetch()} />;
  }
  if (query.isPending) {
    return (
      <div aria-busy="true" className="px-4">
        {Array.from({ length: 8 }, (_, row) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: rows of a placeholder have nothing else
          <div key={row} className="space-y-2.5 py-4">
            <Skeleton className="h-4 w-2/3" />
            <Skeleton className="h-3 w-full" />
          </div>
        ))}
      </div>
    );
  }
  if (notes.length === 0) {
    return search ? (
      <EmptyState icon="search" title={`Nothing has the words “${search}”`}>
        <p>The last word may be a beginning. All others must be whole.</p>
      </EmptyState>
    ) : (
      <EmptyState icon="note" title="No notes yet">
        <p>A note has a title and a text. It is kept in this server's PostgreSQL.</p>
        <Button kind="primary" icon="plus" onClick={onNew}>
          Write the first note
        </Button>
      </EmptyState>
    );
  }
  return (
    <div
      ref={scroller}
      data-scroll-restoration-id="notes"
      className={`min-h-0 grow overflow-y-auto overscroll-contain border-t transition-opacity ${query.isPlaceholderData ? 'opacity-60' : ''}`}
    >
      <p role="status" className="sr-only">
        {query.isPlaceholderData
          ? ''
          : `${notes.length}${hasNextPage ? ' or more' : ''} notes${search ? ' found' : ''}`}
      </p>
      <ul className="relative" style={{ height: rows.getTotalSize() }} onKeyDown={onKeyDown}>
        {visible.map(({ index, start }) => {
          const note = notes[index];
          return (
            note && (
              <Row
                key={note.id}
                note={note}
                index={index}
                top={start}
                search={search}
                isCurrent={index === current}
                total={hasNextPage ? -1 : notes.length}
                isReturn={openId === undefined && lastOpen === String(note.id)}
                onFocus={setActive}
              />
            )
          );
        })}
      </ul>
      {isFetchNextPageError && (
        <div className="space-y-2 p-4">
          <ErrorNote error={query.error} />
          <Button onClick={() => fetchNextPage()}>Load more</Button>
        </div>
      )}
    </div>
  );
}

type RowProps = {
  note: NoteSummary;
  index: number;
  top: number;
  search: string;
  isCurrent: boolean;
  /** How many rows there are in all; -1 while that is not known. */
  total: number;
  /** The focus goes here when the list is come back to. */
  isReturn: boolean;
  onFocus: (index: number) => void;
};

function Row({ note, index, top, search, isCurrent, total, isReturn, onFocus }: RowProps) {
  const isSaving = note.id < 0;
  // Also its key: flush right, a longer word in the same element would count as moved.
  const when = isSaving ? 'Saving…' : ago(note.updatedAt);
  return (
    <li
      className="absolute inset-x-0 top-0"
      style={{ height: ROW_PX, transform: `translateY(${top}px)` }}
      aria-setsize={total}
      aria-posinset={index + 1}
    >
      <Link
        to="/notes/$id"
        params={{ id: String(note.id) }}
        search={{ search: search || undefined }}
        disabled={isSaving}
        data-note-row={index}
        data-focus={isReturn || undefined}
        tabIndex={isCurrent ? 0 : -1}
        onFocus={() => onFocus(index)}
        className="flex h-full flex-col justify-center border-b px-4 -outline-offset-2 transition-colors hover:bg-hover aria-[current=page]:bg-selected"
      >
        <span className="flex items-baseline gap-3">
          <span className="grow truncate text-base font-medium">{note.title}</span>
          <time
            key={when}
            dateTime={note.updatedAt}
            title={exactly(note.updatedAt)}
            className="shrink-0 text-xs text-muted"
          >
            {when}
          </time>
        </span>
        <span className="truncate text-sm text-muted">{note.excerpt || 'No text'}</span>
      </Link>
    </li>
  );
}

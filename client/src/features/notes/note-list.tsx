import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { type KeyboardEvent, useEffect, useMemo, useState } from 'react';
import { flushSync } from 'react-dom';
import type { NotePage, NoteSummary } from '#contracts/notes.ts';
import { Button } from '@/kit/components/button.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { ErrorNote, ErrorState } from '@/kit/components/error-state.tsx';
import { Skeleton } from '@/kit/components/skeleton.tsx';
import { ago, exactly } from '@/kit/lib/format.ts';
import { useRowsInSight } from '@/kit/lib/use-rows-in-sight.ts';
import { notesQuery, useDeleteNote } from './notes-queries.ts';

/** The height of a row in pixels; equal for all, so that rows are placed without measuring. */
const ROW_PX = 72;

/** The next page is fetched when fewer rows than this remain below. */
const ROWS_AHEAD = 50;

/** The notes of all pages by index, without copying them when a page arrives. */
function indexOf(pages: NotePage[]) {
  let count = 0;
  const ends = pages.map(({ items }) => (count += items.length));
  const noteAt = (index: number) => {
    const page = ends.findIndex((end) => index < end);
    return pages[page]?.items[index - (ends[page - 1] ?? 0)];
  };
  return { count, noteAt };
}

/** The list, virtualized: only visible rows are rendered. */
export function NoteList({ search, onNew }: { search: string; onNew: () => void }) {
  const navigate = useNavigate();
  const { id: openId } = useParams({ strict: false });
  const query = useInfiniteQuery(notesQuery(search));
  const remove = useDeleteNote();
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = query;
  const { count, noteAt } = useMemo(() => indexOf(query.data?.pages ?? []), [query.data]);
  const { ref, scroller, first, end, reveal } = useRowsInSight(count, ROW_PX);
  const [active, setActive] = useState(0);
  const current = Math.min(active, count - 1);
  // Returning from a note focuses its row.
  const [lastOpen, setLastOpen] = useState(openId);
  if (openId !== undefined && openId !== lastOpen) setLastOpen(openId);

  const wantsMore = hasNextPage && !isFetchingNextPage && !isFetchNextPageError && end >= count - ROWS_AHEAD;
  useEffect(() => {
    if (wantsMore) fetchNextPage();
  }, [wantsMore, fetchNextPage]);

  // A new search starts at the top of the list.
  // biome-ignore lint/correctness/useExhaustiveDependencies: scrolls on a new search
  useEffect(() => {
    setActive(0);
    scroller.current?.scrollTo({ top: 0 });
  }, [search]);

  const rowAt = (index: number) => scroller.current?.querySelector<HTMLElement>(`[data-note-row="${index}"]`);

  const focusRow = (index: number) => {
    // Synchronously: a row outside the viewport can be focused only after it is rendered.
    flushSync(() => {
      setActive(index);
      reveal(index);
    });
    rowAt(index)?.focus({ preventScroll: true });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const to = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: count - 1 }[event.key];
    const note = noteAt(current);
    if (to !== undefined) focusRow(Math.max(0, Math.min(to, count - 1)));
    else if (event.key === 'Delete' && note && note.id > 0) {
      if (openId === String(note.id)) navigate({ to: '/notes', search: { search: search || undefined } });
      // Focus the neighbour while both exist; it keeps the focus when it moves up.
      const neighbour = current < count - 1 ? current + 1 : current - 1;
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
      <div aria-busy="true" className="border-t px-4">
        {Array.from({ length: 8 }, (_, row) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: rows of a placeholder have nothing else
          <div key={row} className="flex h-18 flex-col justify-center gap-2.5">
            <Skeleton className="h-4 w-2/3" />
            <Skeleton className="h-3 w-full" />
          </div>
        ))}
      </div>
    );
  }
  if (count === 0) {
    return search ? (
      <Empty icon="search" title={`Nothing has the words “${search}”`}>
        <p>The last word may be a beginning. All others must be whole.</p>
      </Empty>
    ) : (
      <Empty icon="note" title="No notes yet">
        <p>A note has a title and a text. It is kept in this server's PostgreSQL.</p>
        <Button icon="plus" onClick={onNew}>
          Write the first note
        </Button>
      </Empty>
    );
  }
  return (
    <div
      ref={ref}
      data-scroll-restoration-id="notes"
      className={`min-h-0 grow overflow-y-auto overscroll-contain border-t transition-opacity ${query.isPlaceholderData ? 'opacity-60' : ''}`}
    >
      <p role="status" className="sr-only">
        {query.isPlaceholderData
          ? ''
          : `${count}${hasNextPage ? ' or more' : ''} notes${search ? ' found' : ''}`}
      </p>
      <ul className="relative" style={{ height: count * ROW_PX }} onKeyDown={onKeyDown}>
        {Array.from({ length: end - first }, (_, offset) => {
          const index = first + offset;
          const note = noteAt(index);
          return (
            note && (
              <Row
                key={note.id}
                note={note}
                index={index}
                search={search}
                isCurrent={index === current}
                total={hasNextPage ? -1 : count}
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
          <Button variant="outline" onClick={() => fetchNextPage()}>
            Load more
          </Button>
        </div>
      )}
    </div>
  );
}

type RowProps = {
  note: NoteSummary;
  index: number;
  search: string;
  isCurrent: boolean;
  /** The total number of rows; -1 while unknown. */
  total: number;
  /** Receives the focus when the list is opened again. */
  isReturn: boolean;
  onFocus: (index: number) => void;
};

function Row({ note, index, search, isCurrent, total, isReturn, onFocus }: RowProps) {
  const isSaving = note.id < 0;
  // Also its key: a longer text in a right-aligned element would count as a layout shift.
  const when = isSaving ? 'Saving…' : ago(note.updatedAt);
  return (
    <li
      className="absolute inset-x-0 top-0"
      style={{ height: ROW_PX, transform: `translateY(${index * ROW_PX}px)` }}
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

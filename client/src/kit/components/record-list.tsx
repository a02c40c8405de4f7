import { Link, type LinkProps, useNavigate, useParams } from '@tanstack/react-router';
import { type KeyboardEvent, type ReactNode, useEffect, useState } from 'react';
import { flushSync } from 'react-dom';
import type { Entity } from '@/kit/lib/records.ts';
import { useDelete } from '@/kit/lib/use-changes.ts';
import type { List } from '@/kit/lib/use-list.ts';
import { useRowsInSight } from '@/kit/lib/use-rows-in-sight.ts';
import { Button } from './button.tsx';
import { ErrorNote, ErrorState } from './error-state.tsx';
import { Skeleton } from './skeleton.tsx';

/** The next page is asked for while this many rows are still below: some screens ahead of a fast finger. */
const ROWS_AHEAD = 50;

interface Props<Row extends Entity> {
  list: List<Row>;
  /** What they are: "notes". */
  noun: string;
  /** The height of a row in pixels. It is the same for each, so that any number of them is placed without measuring. */
  rowPx?: number;
  /** The address of a record; its parameter is called `id`. Without a row: that of the list. */
  link: (row?: Row) => LinkProps;
  /** Shown in place of a list without rows. */
  empty: ReactNode;
  /** A row's contents. */
  children: (row: Row) => ReactNode;
}

/**
 * The list of `useList`. Only the rows in sight are drawn, however many there are. The arrow keys, Home and End go through
 * them, Enter opens one, and Delete deletes it, with an undo.
 */
export function RecordList<Row extends Entity>({
  list,
  noun,
  rowPx = 72,
  link,
  empty,
  children,
}: Props<Row>) {
  const { records, filter, query, count, rowAt } = list;
  const navigate = useNavigate();
  const { id: openId } = useParams({ strict: false }) as { id?: string };
  const remove = useDelete<Row>(records);
  const { hasNextPage, isFetching, isFetchNextPageError, fetchNextPage } = query;
  const { ref, scroller, first, end, reveal } = useRowsInSight(count, rowPx);
  const [active, setActive] = useState(0);
  const current = Math.max(0, Math.min(active, count - 1));
  // Coming back from a record, the focus goes to its row.
  const [lastOpen, setLastOpen] = useState(openId);
  if (openId !== undefined && openId !== lastOpen) setLastOpen(openId);

  // Not while the list is read again: that read may replace the one of a page between two renders. `wantsMore` would not change, and
  // nothing would ask for the page again.
  const wantsMore = hasNextPage && !isFetching && !isFetchNextPageError && end >= count - ROWS_AHEAD;
  useEffect(() => {
    if (wantsMore) fetchNextPage({ cancelRefetch: false });
  }, [wantsMore, fetchNextPage]);

  // A filter shows its first results, wherever the list before it had been scrolled to.
  const filtered = JSON.stringify(filter);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new filter is a reason to scroll, not something that is read
  useEffect(() => {
    setActive(0);
    scroller.current?.scrollTo({ top: 0 });
  }, [filtered]);

  const elementAt = (index: number) => scroller.current?.querySelector<HTMLElement>(`[data-row="${index}"]`);

  const focusRow = (index: number) => {
    // At once, because a row that was out of sight can take the focus only when it has been drawn.
    flushSync(() => {
      setActive(index);
      reveal(index);
    });
    elementAt(index)?.focus({ preventScroll: true });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const to = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: count - 1 }[event.key];
    const row = rowAt(current);
    if (to !== undefined) focusRow(Math.max(0, Math.min(to, count - 1)));
    else if (event.key === 'Delete' && row) {
      if (openId === String(row.id)) void navigate(link());
      // The neighbour takes the focus while both exist, and keeps it when it moves up.
      const neighbour = current < count - 1 ? current + 1 : current - 1;
      elementAt(neighbour)?.focus();
      setActive(Math.max(0, Math.min(current, neighbour)));
      remove.mutate(row);
    } else return;
    event.preventDefault();
  };

  if (query.isError && !query.data) return <ErrorState error={query.error} onRetry={() => query.refetch()} />;
  if (query.isPending) return <Loading rowPx={rowPx} />;
  if (count === 0) return empty;
  return (
    <div
      ref={ref}
      data-scroll-restoration-id={records.name}
      className={`min-h-0 grow overflow-y-auto overscroll-contain border-t pb-16 transition-opacity ${query.isPlaceholderData ? 'opacity-60' : ''}`}
    >
      <p role="status" className="sr-only">
        {query.isPlaceholderData ? '' : `${count}${hasNextPage ? ' or more' : ''} ${noun}`}
      </p>
      <ul className="relative" style={{ height: count * rowPx }} onKeyDown={onKeyDown}>
        {Array.from({ length: end - first }, (_, offset) => {
          const index = first + offset;
          const row = rowAt(index);
          return (
            row && (
              <li
                key={row.id}
                className="absolute inset-x-0 top-0"
                style={{ height: rowPx, transform: `translateY(${index * rowPx}px)` }}
                aria-setsize={hasNextPage ? -1 : count}
                aria-posinset={index + 1}
              >
                <Link
                  {...link(row)}
                  data-row={index}
                  data-focus={(openId === undefined && lastOpen === String(row.id)) || undefined}
                  tabIndex={index === current ? 0 : -1}
                  onFocus={() => setActive(index)}
                  className="focus-inset flex h-full flex-col justify-center border-b px-4 transition-colors hover:bg-hover aria-[current=page]:bg-selected"
                >
                  {children(row)}
                </Link>
              </li>
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

const Loading = ({ rowPx }: { rowPx: number }) => (
  <div aria-busy="true" className="border-t px-4">
    {Array.from({ length: 8 }, (_, row) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: rows of a placeholder have nothing else
      <div key={row} className="flex flex-col justify-center gap-2.5" style={{ height: rowPx }}>
        <Skeleton className="h-4 w-2/3" />
        <Skeleton className="h-3 w-full" />
      </div>
    ))}
  </div>
);

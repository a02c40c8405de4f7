import { type CSSProperties, type ReactNode, useRef } from 'react';
import { cn } from '@/kit/lib/styles.ts';
import { Icon } from './icon.tsx';

export type Direction = 'ascending' | 'descending';

export type Column<Row> = {
  header: string;
  cell: (row: Row) => ReactNode;
  /** Right-aligned, with tabular figures. */
  numeric?: boolean;
  /** A CSS width, for tables with `minWidth`. Columns without one share the rest. */
  width?: string;
  /** Makes the header a button that sorts. */
  onSort?: () => void;
  /** `true` is descending. */
  isSorted?: boolean | Direction;
};

export type TableProps<Row> = {
  /** The accessible name of the table. */
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row, index: number) => string | number;
  /** In pixels. Fixes the widths of columns, for tables with live data. */
  minWidth?: number;
  /** Rows keep their first positions until this value changes, so that live data does not move them. */
  order?: string;
  /** On phones, shows each row as a card with the headers as labels. Cells without content are left out. */
  cards?: boolean;
  /** A CSS length. The rows scroll under a sticky header. */
  maxHeight?: string;
  /** A leading cell, such as a checkbox; called with undefined for the header. */
  lead?: (row: Row | undefined) => ReactNode;
};

/** A dense table. Where it is too wide it scrolls horizontally; the page does not. */
export function Table<Row>(props: TableProps<Row>) {
  const { caption, columns, rows, rowKey, minWidth, order, cards = false, maxHeight, lead } = props;
  const placed = useInPlace(rows, rowKey, order);
  return (
    <section
      aria-label={caption}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      style={{ maxHeight }}
      className="relative overflow-auto rounded-md border bg-surface"
    >
      <table
        className={cn(
          'w-full border-separate border-spacing-0 text-sm',
          minWidth !== undefined && 'table-fixed',
          cards ? 'max-sm:block sm:min-w-(--table-min)' : 'min-w-(--table-min)',
        )}
        style={{ '--table-min': minWidth === undefined ? undefined : `${minWidth}px` } as CSSProperties}
      >
        <caption className="sr-only">{caption}</caption>
        {minWidth !== undefined && (
          <colgroup>
            {columns.map(({ header, width }) => (
              <col key={header} style={{ width }} />
            ))}
          </colgroup>
        )}
        <thead className={cards ? 'max-sm:sr-only' : ''}>
          <tr className="text-muted">
            {lead && <th className="sticky top-0 z-1 w-9 border-b bg-surface pl-3">{lead(undefined)}</th>}
            {columns.map((column) => (
              <Head key={column.header} {...column} />
            ))}
          </tr>
        </thead>
        <tbody className={cn('[&>tr:last-child>td]:border-b-0', cards && 'max-sm:block')}>
          {placed.map((row, index) => (
            <tr
              key={rowKey(row, index)}
              className={cn(
                cards && 'max-sm:relative max-sm:block max-sm:border-b max-sm:p-3 max-sm:last:border-b-0',
                cards && lead && 'max-sm:pr-10',
              )}
            >
              {lead && (
                <td
                  className={cn(
                    'border-b pl-3',
                    cards && 'max-sm:absolute max-sm:top-3 max-sm:right-3 max-sm:border-0 max-sm:p-0',
                  )}
                >
                  {lead(row)}
                </td>
              )}
              {columns.map(({ header, cell, numeric }) => (
                <td
                  key={header}
                  data-label={header}
                  className={cn(
                    'border-b px-3 py-2',
                    numeric && 'text-right tabular-nums',
                    cards &&
                      'max-sm:grid max-sm:grid-cols-[7rem_minmax(0,1fr)] max-sm:gap-x-3 max-sm:border-0 max-sm:p-0 max-sm:py-0.5 max-sm:text-left max-sm:has-[>div:empty]:hidden max-sm:before:text-muted max-sm:before:content-[attr(data-label)]',
                  )}
                >
                  {cards ? <div className="min-w-0">{cell(row)}</div> : cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Head<Row>({ header, numeric, onSort, isSorted = false }: Column<Row>) {
  const direction = isSorted === true ? 'descending' : isSorted || undefined;
  return (
    <th
      scope="col"
      aria-sort={direction}
      className={cn(
        'sticky top-0 z-1 border-b bg-surface px-3 font-medium whitespace-nowrap',
        !onSort && 'py-2',
        numeric ? 'text-right' : 'text-left',
      )}
    >
      {onSort ? (
        <button
          type="button"
          onClick={onSort}
          className={cn(
            'relative inline-flex min-h-9 items-center rounded-sm hover:text-text pointer-coarse:min-h-11 max-md:min-h-11',
            direction && 'text-text',
          )}
        >
          {header}
          {direction && (
            <Icon
              name={direction === 'ascending' ? 'chevronUp' : 'chevronDown'}
              // Beside the text without taking space, so that columns do not shift.
              className={cn('absolute size-3', numeric ? 'right-full' : 'left-full')}
            />
          )}
        </button>
      ) : (
        header
      )}
    </th>
  );
}

/** With `order`: the rows in their previous positions, new ones last. */
function useInPlace<Row>(rows: Row[], rowKey: TableProps<Row>['rowKey'], order: string | undefined) {
  const places = useRef<{ order: string; keys: (string | number)[] }>(undefined);
  if (order === undefined) return rows;
  if (places.current?.order !== order) places.current = { order, keys: [] };
  const { keys } = places.current;
  const byKey = new Map(rows.map((row, index) => [rowKey(row, index), row]));
  for (const key of byKey.keys()) if (!keys.includes(key)) keys.push(key);
  return keys.flatMap((key) => byKey.get(key) ?? []);
}

import { type ReactNode, useRef } from 'react';

export type Column<Row> = {
  header: string;
  cell: (row: Row) => ReactNode;
  /** Numbers stand at the right, in figures of one width. */
  numeric?: boolean;
  /** In a table with `minWidth`: how wide, as CSS says it. Columns without one share what is left. */
  width?: string;
  /** A press on the header orders the rows by this column. */
  onSort?: () => void;
  isSorted?: boolean;
};

type Props<Row> = {
  /** What the table shows, for those who cannot see it. */
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row, index: number) => string | number;
  /** In pixels. Columns then have widths that no content changes, for tables whose rows change while they are read. */
  minWidth?: number;
  /** Rows keep the places that they had first, until this changes: nothing jumps away from under a finger. */
  order?: string;
};

/** A dense table that scrolls sideways by itself where it is too wide, never the page. */
export function Table<Row>({ caption, columns, rows, rowKey, minWidth, order }: Props<Row>) {
  const placed = useInPlace(rows, rowKey, order);
  return (
    <section
      aria-label={caption}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      className="relative overflow-x-auto rounded-md border bg-surface"
    >
      <table
        className={`w-full border-collapse text-sm ${minWidth === undefined ? '' : 'table-fixed'}`}
        style={{ minWidth }}
      >
        <caption className="sr-only">{caption}</caption>
        {minWidth !== undefined && (
          <colgroup>
            {columns.map(({ header, width }) => (
              <col key={header} style={{ width }} />
            ))}
          </colgroup>
        )}
        <thead>
          <tr className="border-b text-muted">
            {columns.map(({ header, numeric, onSort, isSorted }) => (
              <th
                key={header}
                scope="col"
                aria-sort={isSorted ? 'descending' : undefined}
                className={`px-3 font-medium whitespace-nowrap ${onSort ? '' : 'py-2'} ${numeric ? 'text-right' : 'text-left'}`}
              >
                {onSort ? (
                  <button
                    type="button"
                    onClick={onSort}
                    className={`min-h-9 hover:text-text pointer-coarse:min-h-11 max-md:min-h-11 ${isSorted ? 'text-text underline underline-offset-4' : ''}`}
                  >
                    {header}
                  </button>
                ) : (
                  header
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {placed.map((row, index) => (
            <tr key={rowKey(row, index)} className="border-b last:border-b-0">
              {columns.map(({ header, cell, numeric }) => (
                <td key={header} className={`px-3 py-2 ${numeric ? 'text-right tabular-nums' : ''}`}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** The rows in the places they had before, new ones behind them; as they come, where no order is asked for. */
function useInPlace<Row>(rows: Row[], rowKey: Props<Row>['rowKey'], order: string | undefined) {
  const places = useRef<{ order: string; keys: (string | number)[] }>(undefined);
  if (order === undefined) return rows;
  if (places.current?.order !== order) places.current = { order, keys: [] };
  const { keys } = places.current;
  const byKey = new Map(rows.map((row, index) => [rowKey(row, index), row]));
  for (const key of byKey.keys()) if (!keys.includes(key)) keys.push(key);
  return keys.flatMap((key) => byKey.get(key) ?? []);
}

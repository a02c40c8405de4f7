import { type ReactNode, useId, useState } from 'react';
import { Button } from './button.tsx';
import { Checkbox } from './checkbox.tsx';
import {
  DropdownMenu,
  DropdownMenuCheckboxItem,
  DropdownMenuContent,
  DropdownMenuTrigger,
} from './dropdown-menu.tsx';
import { Input } from './input.tsx';
import { type Column, type Direction, Table, type TableProps } from './table.tsx';

export type DataColumn<Row> = Omit<Column<Row>, 'onSort' | 'isSorted'> & {
  /** The value to sort and filter by. Columns without it cannot be sorted. */
  value?: (row: Row) => string | number;
  /** The column cannot be hidden. */
  fixed?: boolean;
};

export type Sort = { by: string; direction: Direction };

type Props<Row> = Omit<TableProps<Row>, 'columns' | 'lead' | 'rowKey'> & {
  columns: DataColumn<Row>[];
  rowKey: (row: Row) => string;
  /** With `onSort` the server sorts and `rows` arrive sorted. Without it the table sorts `rows`. */
  sort?: Sort | undefined;
  onSort?: (sort: Sort) => void;
  /** With `onFilter` the server filters, likewise. */
  filter?: string;
  onFilter?: (filter: string) => void;
  /** Enables selection. Returns the buttons for the selected rows. */
  actions?: (selected: Row[], clear: () => void) => ReactNode;
  /** Shown when no row matches. */
  empty?: ReactNode;
  /** A `Pagination`. */
  footer?: ReactNode;
};

const compare = (a: string | number, b: string | number) =>
  typeof a === 'number' && typeof b === 'number'
    ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true });

/** A table of records with sorting, filter, column choice, selection and pages; cards on phones. */
export function DataTable<Row>({
  columns,
  rows,
  rowKey,
  actions,
  empty = 'No matching rows.',
  footer,
  caption,
  ...props
}: Props<Row>) {
  const { sort: givenSort, onSort, filter: givenFilter, onFilter, ...table } = props;
  const [ownSort, setOwnSort] = useState<Sort>();
  const [ownFilter, setOwnFilter] = useState('');
  const [hidden, setHidden] = useState<string[]>([]);
  const [selected, setSelected] = useState<string[]>([]);
  const id = useId();
  const sort = onSort ? givenSort : ownSort;
  const filter = onFilter ? (givenFilter ?? '') : ownFilter;

  let shown = rows;
  const by = columns.find(({ header }) => header === sort?.by)?.value;
  if (!onFilter && filter.trim() !== '') {
    const words = filter.toLowerCase().trim().split(/\s+/);
    shown = shown.filter((row) => {
      const text = columns
        .map(({ value }) => value?.(row) ?? '')
        .join(' ')
        .toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }
  if (!onSort && by) {
    const sign = sort?.direction === 'descending' ? -1 : 1;
    shown = shown.toSorted((a, b) => sign * compare(by(a), by(b)));
  }
  // Rows that are filtered out are not selected: actions apply to visible rows only.
  const chosen = shown.filter((row) => selected.includes(rowKey(row)));
  const clear = () => setSelected([]);

  return (
    <div className="w-full space-y-2">
      <div className="flex min-h-9 flex-wrap items-center gap-2">
        {chosen.length > 0 && actions ? (
          <div className="flex grow flex-wrap items-center gap-2">
            <p role="status" className="mr-2 text-sm tabular-nums">
              {chosen.length} selected
            </p>
            {actions(chosen, clear)}
            <Button variant="ghost" size="sm" onClick={clear}>
              Clear
            </Button>
          </div>
        ) : (
          <>
            <Input
              type="search"
              aria-label={`Filter: ${caption}`}
              aria-controls={id}
              placeholder="Filter"
              value={filter}
              onChange={({ target }) => (onFilter ?? setOwnFilter)(target.value)}
              className="max-w-64 flex-1"
            />
            <DropdownMenu>
              <DropdownMenuTrigger render={<Button variant="outline" icon="columns" className="ml-auto" />}>
                Columns
              </DropdownMenuTrigger>
              <DropdownMenuContent align="end">
                {columns
                  .filter(({ fixed }) => !fixed)
                  .map(({ header }) => (
                    <DropdownMenuCheckboxItem
                      key={header}
                      checked={!hidden.includes(header)}
                      onCheckedChange={(isShown) =>
                        setHidden(isShown ? hidden.filter((one) => one !== header) : [...hidden, header])
                      }
                    >
                      {header}
                    </DropdownMenuCheckboxItem>
                  ))}
              </DropdownMenuContent>
            </DropdownMenu>
          </>
        )}
      </div>
      <div id={id}>
        <Table
          cards
          caption={caption}
          rows={shown}
          rowKey={rowKey}
          {...table}
          columns={columns
            .filter(({ header }) => !hidden.includes(header))
            .map(({ value, fixed, ...column }) => ({
              ...column,
              isSorted: sort?.by === column.header && sort.direction,
              ...(value && {
                onSort: () =>
                  (onSort ?? setOwnSort)({
                    by: column.header,
                    direction:
                      sort?.by === column.header && sort.direction === 'ascending'
                        ? 'descending'
                        : 'ascending',
                  }),
              }),
            }))}
          {...(actions && {
            lead: (row: Row | undefined) =>
              row === undefined ? (
                <Checkbox
                  aria-label="Select all rows"
                  checked={chosen.length > 0 && chosen.length === shown.length}
                  indeterminate={chosen.length > 0 && chosen.length < shown.length}
                  onCheckedChange={(isChecked) => setSelected(isChecked ? shown.map(rowKey) : [])}
                />
              ) : (
                <Checkbox
                  aria-label={`Select ${columns[0]?.value?.(row) ?? rowKey(row)}`}
                  checked={selected.includes(rowKey(row))}
                  onCheckedChange={(isChecked) =>
                    setSelected(
                      isChecked ? [...selected, rowKey(row)] : selected.filter((one) => one !== rowKey(row)),
                    )
                  }
                />
              ),
          })}
        />
        {shown.length === 0 && <div className="py-6 text-center text-sm text-muted">{empty}</div>}
      </div>
      {footer}
    </div>
  );
}

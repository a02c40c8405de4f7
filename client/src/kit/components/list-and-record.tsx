import type { ReactNode } from 'react';

interface Props {
  /** The names of both regions: "List of notes", "Note". */
  listLabel: string;
  recordLabel: string;
  /** A record is open: phones show it in place of the list. */
  isOpen: boolean;
  list: ReactNode;
  /** The record, or what stands in its place. */
  children: ReactNode;
}

/** A list and one of its records: side by side, or one after the other on phones. Each scrolls for itself. */
export const ListAndRecord = ({ listLabel, recordLabel, isOpen, list, children }: Props) => (
  <div className="grid h-(--screen) grid-cols-[minmax(0,1fr)] md:grid-cols-[minmax(16rem,22rem)_minmax(0,1fr)]">
    <section
      aria-label={listLabel}
      className={`col-start-1 row-start-1 flex min-h-0 flex-col md:border-r ${isOpen ? 'max-md:invisible' : ''}`}
    >
      {list}
    </section>
    <section
      aria-label={recordLabel}
      className={`min-h-0 min-w-0 overflow-y-auto max-md:col-start-1 max-md:row-start-1 ${isOpen ? 'max-md:z-[1] max-md:bg-background' : 'max-md:invisible'}`}
    >
      {children}
    </section>
  </div>
);

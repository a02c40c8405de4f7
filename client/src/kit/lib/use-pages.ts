import { useState } from 'react';

/**
 * The pages gone through of a keyset-paged list, by their cursors.
 *
 * @param list What is paged through: a filter. Another one begins at its first page.
 */
export function usePages(list: string) {
  const [gone, setGone] = useState({ list, cursors: [] as string[] });
  const cursors = gone.list === list ? gone.cursors : [];
  const go = (to: string[]) => () => setGone({ list, cursors: to });
  return {
    cursor: cursors.at(-1),
    /** What `Pagination` is given. @param next `nextCursor` of the page that is shown. */
    buttons: (next: string | null | undefined) => ({
      onPrevious: cursors.length > 0 ? go(cursors.slice(0, -1)) : undefined,
      onNext: next ? go([...cursors, next]) : undefined,
    }),
  };
}

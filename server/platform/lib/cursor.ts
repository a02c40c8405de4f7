import { ProblemError } from './problem.ts';

/** Encodes the key of a page's last row. Opaque, so that the key may change; not secret: the client has seen the row. */
export const encodeCursor = (key: number): string => Buffer.from(`k${key}`).toString('base64url');

/**
 * One page of rows with descending ids.
 *
 * @param rows One more than the page has, which tells that there is a next one.
 */
export function pageOf<Row extends { id: number }, Item>(
  rows: readonly Row[],
  limit: number,
  item: (row: Row) => Item,
): { items: Item[]; nextCursor: string | null } {
  const last = rows[limit - 1];
  return {
    items: rows.slice(0, limit).map(item),
    nextCursor: rows.length > limit && last ? encodeCursor(last.id) : null,
  };
}

/** @returns What the ids of a page lie below. @throws ProblemError as {@link decodeCursor}. */
export const before = (cursor: string | undefined): number =>
  cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeCursor(cursor);

/** @throws ProblemError `bad-request` for a cursor that this server did not make. */
export function decodeCursor(cursor: string): number {
  const key = /^k([1-9]\d{0,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))?.[1];
  if (key === undefined || Number(key) > Number.MAX_SAFE_INTEGER) {
    throw new ProblemError('bad-request', 'Invalid cursor. Start again from the first page.');
  }
  return Number(key);
}

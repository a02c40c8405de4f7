import { ProblemError } from './problem.ts';

/**
 * Turns the key of a page's last row into the opaque text that a client hands back for the next page.
 *
 * It is opaque so that the key may change without breaking anyone, not secret: it names a row the client has seen.
 */
export const encodeCursor = (key: number): string => Buffer.from(`k${key}`).toString('base64url');

/** @throws ProblemError `bad-request` for a cursor that this server did not make. */
export function decodeCursor(cursor: string): number {
  const key = /^k([1-9]\d{0,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))?.[1];
  if (key === undefined || Number(key) > Number.MAX_SAFE_INTEGER) {
    throw new ProblemError('bad-request', 'This cursor is not one of ours. Start again from the first page.');
  }
  return Number(key);
}

import { ProblemError } from './problem.ts';

/** Encodes the key of a page's last row. Opaque, so that the key may change; not secret: the client has seen the row. */
export const encodeCursor = (key: number): string => Buffer.from(`k${key}`).toString('base64url');

/** @throws ProblemError `bad-request` for a cursor that this server did not make. */
export function decodeCursor(cursor: string): number {
  const key = /^k([1-9]\d{0,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))?.[1];
  if (key === undefined || Number(key) > Number.MAX_SAFE_INTEGER) {
    throw new ProblemError('bad-request', 'Invalid cursor. Start again from the first page.');
  }
  return Number(key);
}

import { ProblemError } from './problem.ts';

/** The strong entity tag of a row that counts its versions. */
export const etagOf = (row: { version: number }): string => `"${row.version}"`;

/**
 * Reads `If-Match` for a row that counts its versions.
 *
 * Weak forms of our own tags are accepted, because proxies that compress turn `"3"` into `W/"3"` on the way out and the
 * client can only send back what it was given.
 *
 * @returns The versions the client would accept; `'any'` for `*`; undefined when the header is absent.
 * @throws ProblemError `bad-request` for a header that is not a list of entity tags.
 */
export function readIfMatch(header: string | undefined): number[] | 'any' | undefined {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return 'any';
  const versions: number[] = [];
  for (const part of header.split(',')) {
    const tag = /^\s*(?:W\/)?"([\x21\x23-\x7e]*)"\s*$/.exec(part)?.[1];
    if (tag === undefined) {
      throw new ProblemError(
        'bad-request',
        'If-Match must hold entity tags as they were given in ETag, like "3".',
      );
    }
    // A tag that is not one of ours can match nothing; it is not an error.
    if (/^[1-9]\d{0,8}$/.test(tag)) versions.push(Number(tag));
  }
  return versions;
}

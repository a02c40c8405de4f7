import { ProblemError } from './problem.ts';

/** The strong entity tag of a row with a version number. */
export const etagOf = (row: { version: number }): string => `"${row.version}"`;

/**
 * Reads `If-Match` for a row with a version number. Weak tags are accepted: proxies that compress turn `"3"` into `W/"3"`.
 *
 * @returns The versions that match; `'any'` for `*`; undefined when the header is absent.
 * @throws ProblemError `bad-request` for a header that is not a list of entity tags.
 */
export function readIfMatch(header: string | undefined): number[] | 'any' | undefined {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return 'any';
  const versions: number[] = [];
  for (const part of header.split(',')) {
    const tag = /^\s*(?:W\/)?"([\x21\x23-\x7e]*)"\s*$/.exec(part)?.[1];
    if (tag === undefined) {
      throw new ProblemError('bad-request', 'If-Match must hold entity tags from ETag, like "3".');
    }
    // Other tags match nothing; they are no error.
    if (/^[1-9]\d{0,8}$/.test(tag)) versions.push(Number(tag));
  }
  return versions;
}

import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** What a key begins with, so that secret scanners recognise it. Yours is in `server/features/people/keys.ts`. */
export const KEY_PREFIX = 'flt';

/** `redaction.ts` of the platform knows this form, whatever the prefix. */
const FORM = /^([a-z]{2,16})_([0-9a-f]{16})_([0-9a-f]{64})([0-9a-f]{8})$/;

const checksumOf = (text: string) => crc32(text).toString(16).padStart(8, '0');

/** What a key shows of itself: the prefix and its id. */
export const startOf = (id: string, prefix = KEY_PREFIX): string => `${prefix}_${id}`;

/**
 * Makes a key: prefix, id, and a secret of 256 random bits that ends in a checksum. By the checksum a scanner tells a key from
 * other text, and the server a mistyped one without a query; GitHub's tokens do the same.
 */
export function newKey(prefix = KEY_PREFIX): { id: string; key: string } {
  const id = randomBytes(8).toString('hex');
  const text = `${startOf(id, prefix)}_${randomBytes(32).toString('hex')}`;
  return { id, key: text + checksumOf(text) };
}

/** @returns Whether this is a key by its form and checksum. */
export function isWellFormed(key: string, prefix = KEY_PREFIX): boolean {
  const [, given, , , checksum] = FORM.exec(key) ?? [];
  return given === prefix && checksum === checksumOf(key.slice(0, -8));
}

/** @returns The key in `Authorization: Bearer`; undefined for anything else, such as a key of an operator. */
export function keyIn(authorization: string | undefined, prefix = KEY_PREFIX): string | undefined {
  const given = authorization === undefined ? undefined : /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  return given?.startsWith(`${prefix}_`) ? given : undefined;
}

import { createHash, randomBytes } from 'node:crypto';

const CODES = 10;
/** RFC 4648's, in lower case: no letter is taken for a digit. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** @returns Codes of 80 random bits, as `abcd-efgh-ijkl-mnop`. */
export const makeRecoveryCodes = (): string[] =>
  Array.from({ length: CODES }, () =>
    [...randomBytes(16)]
      .map((byte) => ALPHABET[byte % ALPHABET.length])
      .join('')
      .replace(/(.{4})(?=.)/g, '$1-'),
  );

/** @returns What is kept of a code, however it is written: with 80 random bits a hash without salt tells nothing. */
export const hashRecoveryCode = (code: string): string =>
  `sha256:${createHash('sha256')
    .update(code.toLowerCase().replace(/[^a-z2-7]/g, ''))
    .digest('base64url')}`;

/** @param json An array of codes, or of hashes. @returns An array of hashes. */
export const encodeRecoveryCodes = (json: string): string =>
  JSON.stringify(
    (JSON.parse(json) as string[]).map((one) => (one.startsWith('sha256:') ? one : hashRecoveryCode(one))),
  );

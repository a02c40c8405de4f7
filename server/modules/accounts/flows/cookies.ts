import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** As better-auth names them: `account.session_token`. `__Host-`: no other host of the site can set or shadow them. */
export const cookiePrefix = (secure: boolean): string => (secure ? '__Host-account' : 'account');
export const sessionCookie = (secure: boolean): string => `${cookiePrefix(secure)}.session_token`;

/** Keeps the session of an operator who acts as a user, for the way back. */
export const operatorCookie = (secure: boolean): string => `${cookiePrefix(secure)}.operator_token`;

/** The header in which better-auth is told the client's address, as `request.ip` has it. */
export const CLIENT_ADDRESS = 'x-client-address';

/** What is kept of a token or a key: a stolen table signs nobody in. Random bits cannot be guessed, so a fast hash does. */
export const hashToken = (token: string): string => createHash('sha256').update(token).digest('base64url');

/** Another host of the site can set cookies of the same name, which must not hide the right one. */
const MAX_COOKIES = 5;
const MAX_LENGTH = 1_000;
const SIGNATURE_BYTES = 32;

const signature = (value: string, secret: string) => createHmac('sha256', secret).update(value).digest();

/** @returns A cookie's value as better-auth signs it: `value.base64(HMAC-SHA256)`, percent-encoded. */
export const signed = (value: string, secret: string): string =>
  encodeURIComponent(`${value}.${signature(value, secret).toString('base64')}`);

/**
 * Reads a signed cookie.
 *
 * @param header The request's `Cookie`.
 * @param secrets Those of `SESSION_SECRET`: each is accepted.
 * @returns Undefined where no cookie of the name is signed by one of them.
 */
export function readSigned(
  header: string | undefined,
  name: string,
  secrets: readonly string[],
): string | undefined {
  const values = cookiesIn(header).filter(([known]) => known === name);
  return firstSigned(
    values.map(([, value]) => value),
    secrets,
  );
}

function firstSigned(values: readonly string[], secrets: readonly string[]): string | undefined {
  for (const value of values.slice(0, MAX_COOKIES)) {
    const plain = verified(value, secrets);
    if (plain !== undefined) return plain;
  }
  return undefined;
}

/**
 * @param keep Which cookies, by name.
 * @returns A `Cookie` header with those that are signed by one of the secrets, signed by the first: better-auth reads no other.
 */
export function resigned(
  header: string | undefined,
  secrets: readonly string[],
  keep: (name: string) => boolean,
): string {
  // Read once: a header has room for a thousand.
  const kept = Map.groupBy(
    cookiesIn(header).filter(([name]) => keep(name)),
    ([name]) => name,
  );
  return [...kept]
    .flatMap(([name, pairs]) => {
      const value = firstSigned(
        pairs.map(([, one]) => one),
        secrets,
      );
      return value === undefined ? [] : [`${name}=${signed(value, secrets[0] as string)}`];
    })
    .join('; ');
}

function cookiesIn(header = ''): [name: string, value: string][] {
  return header.split(';').map((pair) => {
    const end = pair.indexOf('=');
    return [pair.slice(0, end).trim(), pair.slice(end + 1).trim()];
  });
}

function verified(encoded: string, secrets: readonly string[]): string | undefined {
  if (encoded.length > MAX_LENGTH) return undefined;
  let text: string;
  try {
    text = decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
  const end = text.lastIndexOf('.');
  const value = text.slice(0, end);
  const given = Buffer.from(text.slice(end + 1), 'base64');
  if (given.length !== SIGNATURE_BYTES) return undefined;
  return secrets.some((secret) => {
    const right = signature(value, secret);
    return timingSafeEqual(given, right);
  })
    ? value
    : undefined;
}

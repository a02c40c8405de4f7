import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { invalid, unavailable } from '../../../platform/lib/problem.ts';

/**
 * OWASP's third choice for scrypt, of equal strength to the first (128 MiB): 16 MiB, so that a container of 256 MiB holds two.
 * https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt
 */
const NOW = { N: 2 ** 14, r: 8, p: 5 };
/** What better-auth writes by itself, as `salt:key` in hexadecimal; such rows still sign in. */
const BETTER_AUTH = { N: 2 ** 14, r: 16, p: 1 };
const KEY_BYTES = 64;

/** Hashes at once: Node's thread pool has four threads, and files and names need some too. */
const CONCURRENCY = Math.min(2, availableParallelism());
/** Hashes that wait, of each kind: at 170 ms of processor time each, the last one is answered after some five seconds. */
const MAX_WAITING = 25;
/** Of those, for one account that is known. */
const MAX_OF_ACCOUNT = 2;
/** While both lines wait, one hash in this many is for an unknown client. */
const UNKNOWN_EVERY = 4;

let running = 0;
let ended = 0;
const known: { account: string; go: () => void }[] = [];
const unknown: { go: () => void }[] = [];
const accountOfCaller = new AsyncLocalStorage<string>();

/**
 * Hashes in `fn` wait in a line of their own, which goes first most of the time: a flood of sign-ins from unknown clients does not
 * keep out those who have signed in before, and many of those do not keep out unknown clients.
 *
 * @param account What the client has shown to be its own.
 */
export const hashFirst = <T>(account: string, fn: () => Promise<T>): Promise<T> =>
  accountOfCaller.run(account, fn);

/** @throws ProblemError 503 where too many wait already. */
async function derive(password: string, salt: Buffer | string, { N, r, p }: typeof NOW): Promise<Buffer> {
  if (running < CONCURRENCY) running++;
  else {
    const account = accountOfCaller.getStore();
    const isFirst =
      account !== undefined && known.filter((one) => one.account === account).length < MAX_OF_ACCOUNT;
    if ((isFirst ? known : unknown).length >= MAX_WAITING)
      throw unavailable('Too many people sign in right now. Try again.');
    // A hash that ends hands its place on.
    await new Promise<void>((go) => (isFirst ? known.push({ account, go }) : unknown.push({ go })));
  }
  try {
    return await new Promise((resolve, reject) => {
      const options = { N, r, p, maxmem: 256 * N * r };
      scrypt(password.normalize('NFKC'), salt, KEY_BYTES, options, (error, key) =>
        error ? reject(error) : resolve(key),
      );
    });
  } finally {
    const [first, second] = ++ended % UNKNOWN_EVERY === 0 ? [unknown, known] : [known, unknown];
    const next = first.shift() ?? second.shift();
    if (next) next.go();
    else running--;
  }
}

/** @returns `scrypt$N$r$p$salt$key`. It takes some 170 ms of processor time, off the event loop. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt, NOW);
  return ['scrypt', NOW.N, NOW.r, NOW.p, salt.toString('base64url'), key.toString('base64url')].join('$');
}

export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const [, N, r, p, salt, key] = /^scrypt\$(\d+)\$(\d+)\$(\d+)\$([\w-]+)\$([\w-]+)$/.exec(hash) ?? [];
  if (salt && key) {
    const parameters = { N: Number(N), r: Number(r), p: Number(p) };
    return same(
      await derive(password, Buffer.from(salt, 'base64url'), parameters),
      Buffer.from(key, 'base64url'),
    );
  }
  const [saltText = '', keyText = ''] = hash.split(':');
  return same(await derive(password, saltText, BETTER_AUTH), Buffer.from(keyText, 'hex'));
}

const same = (one: Buffer, other: Buffer) => one.length === other.length && timingSafeEqual(one, other);

/**
 * Common passwords of 12 characters or more, without the letters and digits that repeat or count. Shorter ones are refused by
 * their length. Those of data breaches are too many to ship.
 */
const COMMON =
  /^(?:(?:password|passwort|passw0rd|qwertyuiop|qwertzuiop|azertyuiop|asdfghjkl|zxcvbnm|iloveyou|letmein|welcome|admin|administrator|changeme|football|baseball|superman|batman|princess|sunshine|monkey|dragon|master|trustno|whatever|starwars|computer|internet|michael|jennifer|jordan|hello|secret|summer|winter|spring|autumn|abc|qwerty|azerty|1q2w3e4r5t6y|1qaz2wsx3edc|q1w2e3r4t5y6|correcthorsebatterystaple)[\W\d_]*)+$/i;
const COUNTING = '01234567890123456789abcdefghijklmnopqrstuvwxyz';

/**
 * Length over composition (NIST SP 800-63B, 3.1.1.2).
 *
 * @param own What others know of the person: address and name.
 * @throws ProblemError `validation` for one that is common, or easily guessed.
 */
export function assertNewPassword(password: string, own: readonly string[]): void {
  const text = password.toLowerCase();
  const simple = new Set(text).size < 5 || COUNTING.includes(text) || COMMON.test(text);
  const personal = own
    .flatMap((one) => [one, one.split('@')[0] ?? ''])
    .map((one) => one.toLowerCase())
    .some((one) => one.length > 2 && text.replaceAll(one, '').replace(/[\W\d_]/g, '').length < 4);
  if (!simple && !personal) return;
  throw invalid(
    'body/password',
    personal
      ? 'Do not use your name or address as the password.'
      : 'This password is among the first that are guessed. Use another one, such as four words in a row.',
  );
}

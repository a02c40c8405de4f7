import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** In milliseconds: a person who starts a server opens its page soon. */
const LIFE_MS = 15 * 60_000;

const sha256 = (text: string) => createHash('sha256').update(text).digest();

/** 256 random bits that sign in once, printed on the terminal and stored nowhere. */
export class SignInToken {
  readonly value: string = randomBytes(32).toString('base64url');
  #hash: Buffer | undefined = sha256(this.value);
  readonly #endsAt: number;

  /** @param now Milliseconds since 1970. */
  constructor(now: number = Date.now()) {
    this.#endsAt = now + LIFE_MS;
  }

  /** Whether this is the token and still valid; it is not afterwards. */
  redeem(given: string, now: number = Date.now()): boolean {
    if (this.#hash === undefined || now >= this.#endsAt) return false;
    if (!timingSafeEqual(this.#hash, sha256(given))) return false;
    this.#hash = undefined;
    return true;
  }
}

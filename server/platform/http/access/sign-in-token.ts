import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Whoever has just started a server opens its page soon, or not with this token. In milliseconds. */
const LIFE_MS = 15 * 60_000;

const sha256 = (text: string) => createHash('sha256').update(text).digest();

/** 256 random bits that sign in once, for whoever sees the terminal that they are printed on. They are kept nowhere. */
export class SignInToken {
  readonly value: string = randomBytes(32).toString('base64url');
  #hash: Buffer | undefined = sha256(this.value);
  readonly #endsAt: number;

  /** @param now Milliseconds since 1970. */
  constructor(now: number = Date.now()) {
    this.#endsAt = now + LIFE_MS;
  }

  /** Whether this is the token, and can still be used; it cannot afterwards. */
  redeem(given: string, now: number = Date.now()): boolean {
    if (this.#hash === undefined || now >= this.#endsAt) return false;
    if (!timingSafeEqual(this.#hash, sha256(given))) return false;
    this.#hash = undefined;
    return true;
  }
}

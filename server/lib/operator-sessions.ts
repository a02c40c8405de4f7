import { createHmac, timingSafeEqual } from 'node:crypto';

/** A session lasts so long, in milliseconds, and is renewed by use once it is this old. */
export const SESSION_MS = 60 * 60_000;
const RENEWED_AFTER_MS = 10 * 60_000;
/** However much it is used: then the key is asked for again. A working day. */
const LONGEST_MS = 12 * 60 * 60_000;

/** Times are milliseconds since 1970. */
export interface OperatorSession {
  signedInAt: number;
  expiresAt: number;
  /** Which of the operators' keys it was exchanged for, as their place in the list. */
  key: number;
}

/** A session, and what stands for it in a cookie. */
export interface Begun {
  session: OperatorSession;
  value: string;
}

/** Times in base 36, and the signature of both. */
const FORM = /^([0-9a-z]{8,9})\.([0-9a-z]{8,9})\.([\w-]{43})$/;

/**
 * Sessions of operators that nobody has to remember: what a session is stands in its value, signed, so that every replica
 * with the same secrets knows it and a restart ends none.
 *
 * A value is signed by a secret and the operators' key together. So a session ends when its key is taken away, and the
 * key cannot be found out from it.
 */
export class OperatorSessions {
  readonly #keys: readonly string[];
  readonly #secrets: readonly string[];

  /** @param keys The operators' keys. @param secrets The first signs, all are accepted. */
  constructor(keys: readonly string[], secrets: readonly string[]) {
    this.#keys = keys;
    this.#secrets = secrets;
  }

  /** @param key As a place in the list. @param now In milliseconds since 1970. */
  begin(key: number, now: number, signedInAt = now): Begun {
    const expiresAt = Math.min(now + SESSION_MS, signedInAt + LONGEST_MS);
    const times = `${signedInAt.toString(36)}.${expiresAt.toString(36)}`;
    const signature = this.#sign(times, key, this.#secrets[0] as string).toString('base64url');
    return { session: { signedInAt, expiresAt, key }, value: `${times}.${signature}` };
  }

  /** @returns The session that a value stands for; undefined where it has ended or was never signed here. */
  read(value: string, now: number): OperatorSession | undefined {
    const [, signedIn = '', expires = '', signature = ''] = FORM.exec(value) ?? [];
    const expiresAt = Number.parseInt(expires, 36);
    if (!(now < expiresAt)) return undefined;
    const given = Buffer.from(signature, 'base64url');
    for (const key of this.#keys.keys()) {
      for (const secret of this.#secrets) {
        const known = this.#sign(`${signedIn}.${expires}`, key, secret);
        if (known.length !== given.length || !timingSafeEqual(known, given)) continue;
        return { signedInAt: Number.parseInt(signedIn, 36), expiresAt, key };
      }
    }
    return undefined;
  }

  /** A session that is used on and on gets more time, up to a limit. @returns Undefined where it is young enough. */
  renew(session: OperatorSession, now: number): Begun | undefined {
    const { signedInAt, expiresAt, key } = session;
    const old = expiresAt - now <= SESSION_MS - RENEWED_AFTER_MS;
    return old && expiresAt < signedInAt + LONGEST_MS ? this.begin(key, now, signedInAt) : undefined;
  }

  #sign(times: string, key: number, secret: string): Buffer {
    return createHmac('sha256', secret).update(`operator session\n${times}\n${this.#keys[key]}`).digest();
  }
}

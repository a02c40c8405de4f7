import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** A session lasts so long, in milliseconds, and is renewed by use once it is this old. */
export const SESSION_MS = 60 * 60_000;
const RENEWED_AFTER_MS = 10 * 60_000;
/** However much it is used: then the key is asked for again. A working day. */
const MAX_SESSION_MS = 12 * 60 * 60_000;
/** Only operators can end a session, so this is more than there are. About 1 MB. */
const MAX_ENDED = 10_000;

/** Times are milliseconds since 1970. */
export interface OperatorSession {
  /** The same in every renewal. */
  id: string;
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

/** The id, both times in base 36, and the signature of all three. */
const FORM = /^(([\w-]{16})\.([0-9a-z]{8,9})\.([0-9a-z]{8,9}))\.([\w-]{43})$/;

/**
 * Sessions of operators that nobody has to remember: what a session is stands in its value, signed, so that every replica
 * with the same secrets knows it and a restart ends none.
 *
 * A value is signed by a secret and the operators' key together. So a session ends when its key is taken away, and the
 * key cannot be found out from it. One that was signed out is remembered by this process until it would have ended anyway.
 */
export class OperatorSessions {
  readonly #keys: readonly string[];
  readonly #secrets: readonly string[];
  /** Sessions that were signed out, and when the last renewal of each ends. */
  readonly #ended = new Map<string, number>();

  /** @param keys The operators' keys. @param secrets The first signs, all are accepted. */
  constructor(keys: readonly string[], secrets: readonly string[]) {
    this.#keys = keys;
    this.#secrets = secrets;
  }

  /** @param key As a place in the list. @param now In milliseconds since 1970. */
  begin(key: number, now: number): Begun {
    // 96 bits.
    return this.#issue(randomBytes(12).toString('base64url'), key, now, now);
  }

  /** @returns The session that a value stands for; undefined where it has ended or was never signed here. */
  read(value: string, now: number): OperatorSession | undefined {
    const [, signed = '', id = '', signedIn = '', expires = '', signature = ''] = FORM.exec(value) ?? [];
    const expiresAt = Number.parseInt(expires, 36);
    if (!(now < expiresAt) || this.#ended.has(id)) return undefined;
    const given = Buffer.from(signature, 'base64url');
    for (const key of this.#keys.keys()) {
      for (const secret of this.#secrets) {
        const known = this.#sign(signed, key, secret);
        if (known.length !== given.length || !timingSafeEqual(known, given)) continue;
        return { id, signedInAt: Number.parseInt(signedIn, 36), expiresAt, key };
      }
    }
    return undefined;
  }

  /** A session that is used on and on gets more time, up to a limit. @returns Undefined where it is young enough. */
  renew({ id, signedInAt, expiresAt, key }: OperatorSession, now: number): Begun | undefined {
    const old = expiresAt - now <= SESSION_MS - RENEWED_AFTER_MS;
    return old && expiresAt < signedInAt + MAX_SESSION_MS ? this.#issue(id, key, now, signedInAt) : undefined;
  }

  /** Ends a session in this process, whichever copy or renewal of it is shown. */
  end({ id, signedInAt }: Pick<OperatorSession, 'id' | 'signedInAt'>, now: number): void {
    for (const [other, until] of this.#ended) {
      if (until <= now || this.#ended.size >= MAX_ENDED) this.#ended.delete(other);
    }
    this.#ended.set(id, signedInAt + MAX_SESSION_MS);
  }

  #issue(id: string, key: number, now: number, signedInAt: number): Begun {
    const expiresAt = Math.min(now + SESSION_MS, signedInAt + MAX_SESSION_MS);
    const signed = `${id}.${signedInAt.toString(36)}.${expiresAt.toString(36)}`;
    const signature = this.#sign(signed, key, this.#secrets[0] as string).toString('base64url');
    return { session: { id, signedInAt, expiresAt, key }, value: `${signed}.${signature}` };
  }

  #sign(signed: string, key: number, secret: string): Buffer {
    return createHmac('sha256', secret).update(`operator session\n${signed}\n${this.#keys[key]}`).digest();
  }
}

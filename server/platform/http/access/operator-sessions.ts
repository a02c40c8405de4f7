import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** In milliseconds. Use renews a session that is older than the second. */
const SESSION_MS = 60 * 60_000;
const RENEWED_AFTER_MS = 10 * 60_000;
/** A working day: then the key is needed again, however much the session is used. */
const MAX_SESSION_MS = 12 * 60 * 60_000;
/** Only operators can end a session, so there are fewer. About 1 MB. */
const MAX_ENDED = 10_000;

/** Times are milliseconds since 1970. */
export interface OperatorSession {
  /** The same in every renewal. */
  id: string;
  signedInAt: number;
  expiresAt: number;
  /** The index of the operators' key that it was exchanged for. */
  key: number;
}

/** A session, and its value in a cookie. */
export interface Begun {
  session: OperatorSession;
  value: string;
}

/** The id, both times in base 36, and the signature of all three. */
const FORM = /^(([\w-]{16})\.([0-9a-z]{8,9})\.([0-9a-z]{8,9}))\.([\w-]{43})$/;

/**
 * Stateless sessions: a signed value holds all of a session, so that every replica with the same secrets knows it and a
 * restart ends none.
 *
 * A value is signed with a secret and the operators' key together. So a session ends when its key is removed, and does not
 * reveal the key. This process remembers a session that was signed out until it would have expired.
 */
export class OperatorSessions {
  readonly #keys: readonly string[];
  readonly #secrets: readonly string[];
  /** Sessions that were signed out, and when the last renewal of each expires. */
  readonly #ended = new Map<string, number>();

  /** @param keys The operators' keys. @param secrets The first signs, all are accepted. */
  constructor(keys: readonly string[], secrets: readonly string[]) {
    this.#keys = keys;
    this.#secrets = secrets;
  }

  /** @param key The index of the key. @param now In milliseconds since 1970. */
  begin(key: number, now: number): Begun {
    // 96 bits.
    return this.#issue(randomBytes(12).toString('base64url'), key, now, now);
  }

  /** @returns Undefined where the session has ended or its signature is not valid. */
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

  /** Extends a session in use, up to the limit. @returns Undefined where it is new enough. */
  renew({ id, signedInAt, expiresAt, key }: OperatorSession, now: number): Begun | undefined {
    const old = expiresAt - now <= SESSION_MS - RENEWED_AFTER_MS;
    return old && expiresAt < signedInAt + MAX_SESSION_MS ? this.#issue(id, key, now, signedInAt) : undefined;
  }

  /** Ends a session in this process, with all copies and renewals. */
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

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { ConfigError } from '../../config/problems.ts';

/** `v1.`, the id of the key, and base64url of IV, ciphertext and tag. `v0.` and the text itself, where a column allows that. */
const ENCRYPTED = /^v1\.([\da-f]{8})\.([\w-]+)$/;
const PLAIN = 'v0.';
/** What NIST SP 800-38D recommends for AES-GCM, in bytes. */
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** One chance in 4,294,967,296 for two keys. */
const SAME_ID = { variable: 'ENCRYPTION_KEY', remedy: 'Make another new key: `openssl rand -base64 32`.' };

/** A value cannot be encrypted or decrypted. The message never holds the value. */
export class EncryptionError extends Error {
  override readonly name = 'EncryptionError';
}

/** The first four bytes of SHA-256 of a key, in hexadecimal. It tells keys apart, and is no secret. */
export const keyIdOf = (key: string): string => createHash('sha256').update(key).digest('hex').slice(0, 8);

/**
 * The keys that columns are encrypted with. There is one keyring in a process, {@link keyring}, because `table.ts` files declare
 * their columns before any configuration is read.
 *
 * A key management service (AWS KMS, Google Cloud KMS) would unwrap data keys at start, and hand them to {@link use}: what
 * encrypts is called while a statement is built, and cannot wait for a network.
 */
export class Keyring {
  /** By id. The first writes. */
  readonly #keys = new Map<string, string>();
  readonly #derived = new Map<string, KeyObject>();
  #onWrite: ((id: string) => void) | undefined;

  /**
   * Sets the keys, before the first query.
   *
   * @param keys `ENCRYPTION_KEY`: the first writes, all read.
   * @param onWrite Called before each value is encrypted, with the id of the key.
   * @throws ConfigError where two keys have one id.
   */
  use(keys: readonly string[], onWrite?: (id: string) => void): void {
    this.#keys.clear();
    this.#derived.clear();
    for (const key of keys) {
      const id = keyIdOf(key);
      if ((this.#keys.get(id) ?? key) !== key)
        throw new ConfigError([{ ...SAME_ID, problem: `has two keys with the id ${id}` }], []);
      this.#keys.set(id, key);
    }
    this.#onWrite = onWrite;
  }

  /** Whether there is a key. What must not be stored in plain text is off without one. */
  get enabled(): boolean {
    return this.#keys.size > 0;
  }

  /** Of each key; the first writes. */
  get ids(): string[] {
    return [...this.#keys.keys()];
  }

  /**
   * @param column `table.column`: what is stored opens in no other column.
   * @param allowPlain Without a key, keep the text as it is.
   * @throws EncryptionError without a key.
   */
  encrypt(text: string, column: string, allowPlain = false): string {
    const [id] = this.ids;
    if (id === undefined && allowPlain) return PLAIN + text;
    if (id === undefined)
      throw new EncryptionError(`${column} cannot be written: set ENCRYPTION_KEY, which encrypts it.`);
    this.#onWrite?.(id);
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#derive(id, `encrypt ${column}`), iv);
    cipher.setAAD(Buffer.from(column));
    const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `v1.${id}.${sealed.toString('base64url')}`;
  }

  /** @throws EncryptionError where its key is not configured, or it is not what {@link encrypt} made for this column. */
  decrypt(stored: string, column: string, allowPlain = false): string {
    if (allowPlain && stored.startsWith(PLAIN)) return stored.slice(PLAIN.length);
    const [, id = '', body = ''] = ENCRYPTED.exec(stored) ?? [];
    const sealed = Buffer.from(body, 'base64url');
    // Several spellings of base64url decode to the same bytes: only that of `encrypt` counts.
    if (sealed.length < IV_BYTES + TAG_BYTES || sealed.toString('base64url') !== body)
      throw new EncryptionError(`A value of ${column} is not encrypted, or has been changed.`);
    if (!this.#keys.has(id))
      throw new EncryptionError(
        `A value of ${column} is encrypted with the key ${id}, which is not in ENCRYPTION_KEY.`,
      );
    const key = this.#derive(id, `encrypt ${column}`);
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(column));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      return (
        decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
      );
    } catch {
      throw new EncryptionError(
        `A value of ${column} does not open: it has been changed, or comes from another column.`,
      );
    }
  }

  /**
   * A digest of a value by each key, HMAC-SHA256: that of the first is for writing.
   *
   * @throws EncryptionError without a key.
   */
  digests(text: string, column: string): [string, ...string[]] {
    const [first, ...others] = this.ids;
    if (first === undefined)
      throw new EncryptionError(`${column} cannot be searched: set ENCRYPTION_KEY, which it is indexed by.`);
    const by = (id: string) =>
      createHmac('sha256', this.#derive(id, `index ${column}`))
        .update(text)
        .digest('base64url');
    return [by(first), ...others.map(by)];
  }

  /** A key for one purpose, by HKDF-SHA256. */
  #derive(id: string, purpose: string): KeyObject {
    const name = `${id} ${purpose}`;
    let derived = this.#derived.get(name);
    if (derived === undefined) {
      derived = createSecretKey(
        Buffer.from(hkdfSync('sha256', this.#keys.get(id) as string, '', `column ${purpose}`, 32)),
      );
      this.#derived.set(name, derived);
    }
    return derived;
  }
}

/** That of this process. `process/create-platform.ts` sets its keys. */
export const keyring: Keyring = new Keyring();

/** Up to this size a body is small. */
export const SMALL_BYTES = 16 * 1_024;
/** Large bodies leave the last quarter to small ones, so that they alone cannot stop every write. */
const LARGE_SHARE = 0.75;
/** No client takes more than this part of what the others leave, but for its first body: so a few cannot take all. */
const CLIENT_SHARE = 0.25;

/**
 * What all request bodies under way may hold together, in bytes.
 *
 * A body is reserved whole when its request arrives, before any of it is read, and given back when its answer is out or its
 * client has left. A single body is admitted however large it is, so that a route with a large limit works everywhere.
 */
export class BodyBudget {
  readonly limit: number;
  readonly #byClient = new Map<string, number>();
  #used = 0;
  #refusedAt = Number.NEGATIVE_INFINITY;

  /** @param limit In bytes. */
  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** @returns How long ago a body was refused, in milliseconds; infinite if none was. */
  sinceRefusalMs(now = performance.now()): number {
    return now - this.#refusedAt;
  }

  /**
   * @param client Whose body it is: none may take all.
   * @returns Whether there is room. If so, the same is to be given back later.
   */
  take(client: string, bytes: number): boolean {
    const own = this.#byClient.get(client) ?? 0;
    const limit = bytes <= SMALL_BYTES ? this.limit : this.limit * LARGE_SHARE;
    const left = limit - (this.#used - own);
    const fits = own + bytes <= left || this.#used === 0;
    if (!fits || (own > 0 && own + bytes > left * CLIENT_SHARE)) {
      this.#refusedAt = performance.now();
      return false;
    }
    this.#used += bytes;
    this.#byClient.set(client, own + bytes);
    return true;
  }

  give(client: string, bytes: number): void {
    this.#used -= bytes;
    const rest = (this.#byClient.get(client) ?? 0) - bytes;
    if (rest > 0) this.#byClient.set(client, rest);
    else this.#byClient.delete(client);
  }
}

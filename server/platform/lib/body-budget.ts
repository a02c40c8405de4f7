/** Up to this size a body is small. */
export const SMALL_BYTES = 16 * 1_024;
/** Large bodies leave the last quarter to small ones. */
const LARGE_SHARE = 0.75;
/** A client's first body aside, no client takes more than this share of what the others leave. */
const CLIENT_SHARE = 0.25;

/**
 * Counts the memory that request bodies may use.
 *
 * A body is reserved whole when its request arrives, and released when its answer is out or its client has left. A single body
 * is admitted at any size, so that a route with a large limit works everywhere.
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

  /** @returns Milliseconds since a body was refused; infinite if none was. */
  sinceRefusalMs(now = performance.now()): number {
    return now - this.#refusedAt;
  }

  /**
   * @param client Whose body it is.
   * @returns Whether there is room. If so, `give` the same back later.
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

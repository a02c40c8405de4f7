import type { RateLimitPluginOptions } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { within } from '../../lib/within.ts';
import type { Limit } from './limit.ts';

const STORE_TIMEOUT_MS = 50;
/** After so many failures in a row, the store is not used for `PAUSE_MS`. */
const MAX_FAILURES = 3;
const PAUSE_MS = 1_000;

/** Where several processes count together: a store of `@fastify/rate-limit`. */
export type SharedStore = Pick<RateLimitPluginOptions, 'store' | 'redis'> & {
  /** How long a request waits for it, in milliseconds; then the local window decides. */
  timeoutMs?: number;
};

type Counter = ReturnType<FastifyInstance['createRateLimit']>;

/** Counts in the shared store, waits for it briefly, and pauses while it does not answer. */
export class SharedCounter {
  failures = 0;
  readonly #app: FastifyInstance;
  readonly #keyOf: (request: FastifyRequest) => string;
  readonly #timeoutMs: number;
  readonly #counters = new Map<Limit, Counter>();
  #failuresInRow = 0;
  #pausedUntil = 0;
  #logged = false;

  /**
   * @param app Has `@fastify/rate-limit` with the store.
   * @param keyOf The client that a request counts for.
   * @param timeoutMs See {@link SharedStore}.
   */
  constructor(
    app: FastifyInstance,
    keyOf: (request: FastifyRequest) => string,
    timeoutMs = STORE_TIMEOUT_MS,
  ) {
    this.#app = app;
    this.#keyOf = keyOf;
    this.#timeoutMs = timeoutMs;
  }

  get paused(): boolean {
    return this.#pausedUntil > performance.now();
  }

  /**
   * Counts a request, and notes the result in the local window, which continues from there where the store fails.
   *
   * @returns Undefined where the local window is to decide.
   */
  async count(limit: Limit, request: FastifyRequest) {
    try {
      const late = () => new Error(`no answer within ${this.#timeoutMs} ms`);
      const counted = await within(this.#counterOf(limit)(request), this.#timeoutMs, late);
      if (counted.isAllowed || !(counted.ttl >= 0)) throw new Error('the window has no end');
      this.#failuresInRow = 0;
      if (this.#logged) this.#app.log.info('the store of rate limits answers again');
      this.#logged = false;
      // `remaining` alone would not tell the last request that is allowed from the first that is not.
      const hits = counted.isExceeded ? limit.max + 1 : limit.max - counted.remaining;
      // A store names the time at which it was asked, which may be before the window began that it has waited for.
      const endsInMs = Math.min(counted.ttl, limit.windowMs);
      const now = performance.now();
      limit.set(this.#keyOf(request), { hits, endsAt: now + endsInMs }, now);
      return { hits, endsInMs };
    } catch (err) {
      this.failures++;
      if (++this.#failuresInRow < MAX_FAILURES) return undefined;
      this.#pausedUntil = performance.now() + PAUSE_MS;
      if (!this.#logged)
        this.#app.log.warn(
          { err },
          'the store of rate limits is unreachable: each process counts for itself',
        );
      this.#logged = true;
      return undefined;
    }
  }

  #counterOf(limit: Limit): Counter {
    let counter = this.#counters.get(limit);
    if (counter === undefined) {
      const { name, max, windowMs: timeWindow } = limit;
      // With its length: a window that another configuration has begun is another window.
      const keyGenerator = (request: FastifyRequest) => `${name}:${timeWindow}:${this.#keyOf(request)}`;
      counter = this.#app.createRateLimit({ max, timeWindow, keyGenerator });
      this.#counters.set(limit, counter);
    }
    return counter;
  }
}

import type { RateLimitPluginOptions } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { within } from '../../lib/within.ts';
import type { Limit } from './limit.ts';

const STORE_TIMEOUT_MS = 50;
/** After so many failures in a row, the store is left alone for a while. */
const FAILURES_TO_LEAVE = 3;
const LEAVE_MS = 1_000;

/** Where several processes count together. */
export type SharedStore = Pick<RateLimitPluginOptions, 'store' | 'redis' | 'nameSpace'> & {
  /** How long a request waits for it, in milliseconds; then the local window decides. */
  timeoutMs?: number;
};

export interface Counted {
  hits: number;
  endsInMs: number;
}

type Counter = ReturnType<FastifyInstance['createRateLimit']>;

/** Asks the shared store, for a moment only, and leaves it alone while it does not answer. */
export class SharedCounter {
  failures = 0;
  readonly #app: FastifyInstance;
  readonly #keyOf: (request: FastifyRequest) => string;
  readonly #timeoutMs: number;
  readonly #counters = new Map<Limit, Counter>();
  #failuresInRow = 0;
  #leftUntil = 0;
  #said = false;

  /** @param keyOf Whom a request counts for. */
  static async open(app: FastifyInstance, keyOf: (request: FastifyRequest) => string, store: SharedStore) {
    const { timeoutMs = STORE_TIMEOUT_MS, ...options } = store;
    const { default: plugin } = await import('@fastify/rate-limit');
    await app.register(plugin, { ...options, global: false });
    return new SharedCounter(app, keyOf, timeoutMs);
  }

  private constructor(app: FastifyInstance, keyOf: (request: FastifyRequest) => string, timeoutMs: number) {
    this.#app = app;
    this.#keyOf = keyOf;
    this.#timeoutMs = timeoutMs;
  }

  get away(): boolean {
    return this.#leftUntil > performance.now();
  }

  /**
   * @returns How long this client is refused without asking the store, in milliseconds, because that would tell nothing
   *   new; 0 where it is to be asked.
   */
  refusesFor(limit: Limit, client: string, now: number): number {
    const window = limit.windows.look(client, now);
    return window !== undefined && window.hits >= limit.max ? window.endsAt - now : 0;
  }

  /** @returns Undefined where the local window is to decide. */
  async count(limit: Limit, client: string, request: FastifyRequest): Promise<Counted | undefined> {
    try {
      const counted = await within(
        this.#counterOf(limit)(request),
        this.#timeoutMs,
        () => new Error(`no answer within ${this.#timeoutMs} ms`),
      );
      if (counted.isAllowed) throw new Error(`${client} is on a list of allowed clients, and there is none`);
      if (!(counted.ttl >= 0)) throw new Error(`the window of ${client} has no end in the store`);
      this.#failuresInRow = 0;
      if (this.#said) this.#app.log.info('the store of rate limits answers again');
      this.#said = false;
      // As it was counted: `remaining` alone would not tell the last that is allowed from the first that is not.
      const hits = counted.isExceeded ? limit.max + 1 : limit.max - counted.remaining;
      // A store tells the time of when it was asked, which may be before the window began that it has waited for.
      const endsInMs = Math.min(counted.ttl, limit.windowMs);
      // The local window goes on from here where the store is left.
      const now = performance.now();
      limit.windows.note(client, { hits, endsAt: now + endsInMs }, now);
      return { hits, endsInMs };
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  #failed(error: unknown): void {
    this.failures++;
    if (++this.#failuresInRow < FAILURES_TO_LEAVE) return;
    this.#leftUntil = performance.now() + LEAVE_MS;
    if (!this.#said) {
      this.#app.log.warn({ err: error }, 'the store of rate limits is away: each process limits for itself');
    }
    this.#said = true;
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

/**
 * Adds to each request under `/api` its limit: how many of its kind one client may make in a window, with the headers
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), and past it 429 with `Retry-After`.
 *
 * It stands before everything that costs something. Probes, pages and files are free; an address under `/api` that does not exist is not. A request counts in one window, that of its kind: reads,
 * writes, or the operators'. Answers of 401 count in a window of their own, which closes to further credentials.
 *
 * Counting in memory is a look into a map. `@fastify/rate-limit` does the counting where it is shared by several
 * processes; on the hot path it would cost more than all other plugins (docs/performance.md).
 */
import type { RateLimitPluginOptions } from '@fastify/rate-limit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { clientKey } from '../lib/client-key.ts';
import { ProblemError } from '../lib/problem.ts';
import { sendLine } from '../lib/quick-response.ts';
import type { Lifecycle } from '../lifecycle.ts';
import { accessOf } from './access.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * `local`: counted by this process alone. `sign-in`: refused like a wrong key after too many failures. `false`: free.
     * An object: a limit of the route's own, in place of the one for its kind.
     */
    limit?: 'local' | 'sign-in' | false | { name: string; max: number };
  }
  interface FastifyInstance {
    rateLimits: RateLimitFacts;
  }
}

/** For monitoring: requests that were refused, by limit, and hits that the shared store did not count. */
export interface RateLimitFacts {
  readonly refused: Readonly<Record<string, number>>;
  readonly storeFailures: number;
  readonly storeAway: boolean;
}

/** Where several processes count together. */
export type SharedStore = Pick<RateLimitPluginOptions, 'store' | 'redis' | 'nameSpace'> & {
  /** The longest that a request waits for it, in milliseconds; then the local window decides. */
  timeoutMs?: number;
};

export interface RateLimitOptions {
  /** Requests that one client may make in a window. Writes get a fifth of it, operators ten times as many. */
  max: number;
  /** In milliseconds. */
  windowMs: number;
  lifecycle: Lifecycle;
  shared?: SharedStore | undefined;
}

const WRITES_SHARE = 1 / 5;
const OPERATORS_FACTOR = 10;
/** A person mistypes a few times; whoever is refused as often as this is trying. */
const MOST_FAILURES = 10;
/** About 15 MB, in each of the few windows. */
const MOST_CLIENTS = 100_000;
const STORE_TIMEOUT_MS = 50;
/** After so many failures in a row, the store is left alone for a while. */
const FAILURES_TO_LEAVE = 3;
const LEAVE_MS = 1_000;

interface Window {
  hits: number;
  /** On the `performance.now()` clock. */
  endsAt: number;
}

/** Fixed windows, one for each client, in bounded memory and without a timer. */
export class FixedWindows {
  readonly #windowMs: number;
  readonly #most: number;
  /** In the order of their ends, since all are equally long. */
  readonly #windows = new Map<string, Window>();

  /** @param most Clients that are remembered; the one whose window ends next is forgotten for another. */
  constructor(windowMs: number, most = MOST_CLIENTS) {
    this.#windowMs = windowMs;
    this.#most = most;
  }

  get size(): number {
    return this.#windows.size;
  }

  /** Counts one hit. */
  hit(key: string, now: number): Window {
    const known = this.look(key, now);
    if (known !== undefined) {
      known.hits++;
      return known;
    }
    this.#windows.delete(key);
    // Two go for each that comes, so that what a flood has left melts away.
    let looks = 2;
    for (const [oldest, { endsAt }] of this.#windows) {
      if (looks-- === 0 || (endsAt > now && this.#windows.size < this.#most)) break;
      this.#windows.delete(oldest);
    }
    const window = { hits: 1, endsAt: now + this.#windowMs };
    this.#windows.set(key, window);
    return window;
  }

  look(key: string, now: number): Window | undefined {
    const window = this.#windows.get(key);
    return window !== undefined && window.endsAt > now ? window : undefined;
  }
}

/** One kind of request, and how many of them a client may make. */
class Limit {
  readonly name: string;
  readonly max: number;
  /** Value of `RateLimit-Policy`. */
  readonly policy: string;
  readonly windows: FixedWindows;
  /** Clients that the shared store has refused, and until when: asking it again would tell nothing new. */
  readonly exhausted = new Map<string, number>();

  constructor(name: string, max: number, windowMs: number) {
    // It is sent as it is.
    if (!/^[\w-]+$/.test(name))
      throw new TypeError(`A limit cannot be called '${name}': letters, digits, _ and - alone.`);
    this.name = name;
    this.max = Math.max(1, Math.floor(max));
    this.policy = `"${name}";q=${this.max};w=${Math.ceil(windowMs / 1_000)}`;
    this.windows = new FixedWindows(windowMs);
  }
}

const WRITES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

export const rateLimit = fp<RateLimitOptions>(async (app, { max, windowMs, lifecycle, shared }) => {
  const reads = new Limit('reads', max, windowMs);
  const writes = new Limit('writes', max * WRITES_SHARE, windowMs);
  const operators = new Limit('operators', max * OPERATORS_FACTOR, windowMs);
  const failures = new Limit('failures', MOST_FAILURES, windowMs);
  const own = new Map<string, Limit>();
  const refused: Record<string, number> = {};
  const store = shared && (await sharedCounter(shared));

  app.decorate('rateLimits', {
    refused,
    get storeFailures() {
      return store?.failures ?? 0;
    },
    get storeAway() {
      return store?.away ?? false;
    },
  });

  app.addHook('onRoute', ({ config }) => {
    const limit = config?.limit;
    if (typeof limit === 'object' && !own.has(limit.name)) {
      own.set(limit.name, new Limit(limit.name, limit.max, windowMs));
    }
  });

  app.addHook('onRequest', (request, reply, done) => {
    const url = request.raw.url as string;
    // The usual page or file is let through at a glance. The router also takes addresses with encoded letters, and
    // whole ones (`GET http://…`): what those lead to, it knows best.
    if (!url.startsWith('/api') && url.startsWith('/') && !url.includes('%')) {
      done();
      return;
    }
    const { url: route, config } = request.routeOptions;
    const option = config?.limit;
    const found = route !== undefined && !route.startsWith('/*');
    if (option === false || !(found ? route : url).startsWith('/api')) {
      done();
      return;
    }
    const now = performance.now();
    const client = clientKey(request.ip);
    let limit = WRITES.has(request.method) ? writes : reads;
    if (typeof option === 'object') limit = own.get(option.name) as Limit;
    const { headers } = request;
    if (headers.authorization !== undefined || headers['x-api-key'] !== undefined || option === 'sign-in') {
      const failed = failures.windows.look(client, now);
      if (request.operatorKey === 'right') limit = operators;
      else if (failed && failed.hits >= failures.max) {
        done(refuse(reply, failures, failed.endsAt - now));
        return;
      }
    } else if (headers.cookie !== undefined && found && accessOf({ url: route, config }) === 'operator') {
      // A browser that is signed in has no other sign of it.
      if (request.operatorSession !== undefined) limit = operators;
    }

    const local = () => {
      const { hits, endsAt } = limit.windows.hit(client, now);
      done(admit(reply, limit, hits, endsAt - now));
    };
    if (store === undefined || option === 'local' || !lifecycle.started || store.away) {
      local();
      return;
    }
    const until = limit.exhausted.get(client) ?? 0;
    if (until > now) {
      done(refuse(reply, limit, until - now));
      return;
    }
    store.count(limit, client, request).then((counted) => {
      if (counted === undefined) {
        local();
        return;
      }
      const { current, ttl } = counted;
      if (current >= limit.max) remember(limit.exhausted, client, now + ttl);
      else if (until > 0) limit.exhausted.delete(client);
      done(admit(reply, limit, current, ttl));
    });
  });

  // Whatever says 401, a wrong key or a failed sign-in, costs the usual request nothing here.
  app.addHook('onError', (request, _reply, error, done) => {
    if (error.statusCode === 401 && hasCredentials(request)) {
      failures.windows.hit(clientKey(request.ip), performance.now());
    }
    done();
  });

  function admit(
    reply: FastifyReply,
    limit: Limit,
    hits: number,
    endsInMs: number,
  ): ProblemError | undefined {
    if (hits > limit.max) return refuse(reply, limit, endsInMs);
    announce(reply, limit, limit.max - hits, endsInMs);
    return undefined;
  }

  function refuse(reply: FastifyReply, limit: Limit, endsInMs: number): ProblemError {
    refused[limit.name] = (refused[limit.name] ?? 0) + 1;
    announce(reply, limit, 0, endsInMs);
    const seconds = Math.max(1, Math.ceil(endsInMs / 1_000));
    return new ProblemError(
      'too-many-requests',
      `More than ${limit.max} requests of this kind (${limit.name}) came from your address. Try again in ${seconds} s.`,
      { headers: { 'retry-after': String(seconds) } },
    );
  }

  /** Asks the shared store, for a moment only, and leaves it alone while it does not answer. */
  async function sharedCounter({ timeoutMs = STORE_TIMEOUT_MS, ...options }: SharedStore) {
    const { default: plugin } = await import('@fastify/rate-limit');
    await app.register(plugin, { ...options, global: false });
    const counters = new Map<Limit, ReturnType<typeof app.createRateLimit>>();
    const counterOf = (limit: Limit) => {
      let counter = counters.get(limit);
      if (counter === undefined) {
        const keyGenerator = (request: FastifyRequest) => `${limit.name}:${clientKey(request.ip)}`;
        counter = app.createRateLimit({ max: limit.max, timeWindow: windowMs, keyGenerator });
        counters.set(limit, counter);
      }
      return counter;
    };
    let inRow = 0;
    let leftUntil = 0;
    let said = false;

    const facts = {
      failures: 0,
      get away() {
        return leftUntil > performance.now();
      },
      /** @returns Undefined where the local window is to decide. */
      async count(limit: Limit, client: string, request: FastifyRequest) {
        let timer: NodeJS.Timeout | undefined;
        try {
          const late = new Promise<never>((_, reject) => {
            const tooLate = () => reject(new Error(`no answer within ${timeoutMs} ms`));
            // An answer that has come while this process was busy or frozen is read first.
            timer = setTimeout(setImmediate, timeoutMs, tooLate);
          });
          const counted = await Promise.race([counterOf(limit)(request), late]);
          if (counted.isAllowed)
            throw new Error(`${client} is on a list of allowed clients, and there is none`);
          inRow = 0;
          if (said) app.log.info('the store of rate limits answers again');
          said = false;
          // As it was counted: `remaining` alone would not tell the last that is allowed from the first that is not.
          const current = counted.isExceeded ? limit.max + 1 : limit.max - counted.remaining;
          return { current, ttl: counted.ttl };
        } catch (error) {
          facts.failures++;
          if (++inRow >= FAILURES_TO_LEAVE) {
            leftUntil = performance.now() + LEAVE_MS;
            if (!said)
              app.log.warn(
                { err: error },
                'the store of rate limits is away: each process limits for itself',
              );
            said = true;
          }
          return undefined;
        } finally {
          clearTimeout(timer);
        }
      },
    };
    return facts;
  }
});

function announce(reply: FastifyReply, limit: Limit, remaining: number, endsInMs: number): void {
  sendLine(reply, 'ratelimit-policy', limit.policy);
  sendLine(reply, 'ratelimit', `"${limit.name}";r=${digits(remaining)};t=${Math.ceil(endsInMs / 1_000)}`);
}

const LAST_DIGITS = Array.from({ length: 1_000 }, (_, n) => String(n).padStart(3, '0'));

/**
 * What `String(n)` says. V8 keeps the text of a number for the next time; of a large limit each number comes once, and its
 * text would be in the way until the next full collection.
 */
function digits(n: number): string {
  return n < 1_000 ? String(n) : String(Math.floor(n / 1_000)) + LAST_DIGITS[n % 1_000];
}

const hasCredentials = ({ headers, routeOptions }: FastifyRequest) =>
  headers.authorization !== undefined ||
  headers['x-api-key'] !== undefined ||
  routeOptions.config?.limit === 'sign-in';

function remember(exhausted: Map<string, number>, client: string, until: number): void {
  exhausted.delete(client);
  for (const oldest of exhausted.keys()) {
    if (exhausted.size < MOST_CLIENTS) break;
    exhausted.delete(oldest);
  }
  exhausted.set(client, until);
}

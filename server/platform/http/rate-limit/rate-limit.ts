/**
 * Adds to each request under `/api` its limit: how many of its kind one client may make in a window, with the headers
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), and past it 429 with `Retry-After`.
 *
 * It stands before everything that costs something. Probes, pages and files are free; an address under `/api` that does
 * not exist is not. A request counts in one window: its route's own, or that of its kind: reads, writes, operators'.
 *
 * Credentials are looked at only where the route asks for an operator's. A wrong key counts in a window of its own, past
 * which wrong keys are refused unanswered. The right one always opens: `config-secrets.ts` sees to it that keys cannot be
 * guessed, and operators may share an address with a client that tries. Sign-ins may be by password, so past their
 * window none is judged.
 *
 * Counting in memory is a look into a map. `@fastify/rate-limit` does the counting where it is shared by several
 * processes; on the hot path it would cost more than all other plugins.
 */
import type {
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  onRequestHookHandler,
  onResponseHookHandler,
} from 'fastify';
import fp from 'fastify-plugin';
import type { Lifecycle } from '../../health/lifecycle.ts';
import type {} from '../access/access.ts';
import type {} from '../access/operators.ts';
import { clientKey } from './client-key.ts';
import { Limit } from './limit.ts';
import { SharedCounter, type SharedStore } from './shared-counter.ts';
import { Tries } from './tries.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * `local`: counted by this process alone. `sign-in`, `operator-sign-in`: refused after too many answers that say no.
     * `false`: free. An object: a limit of the route's own, in place of the one for its kind, for operators as well.
     */
    limit?: 'local' | 'sign-in' | 'operator-sign-in' | false | OwnLimit;
  }
  interface FastifyInstance {
    rateLimits: RateLimitFacts;
  }
}

/** Routes that name the same limit share it. */
export interface OwnLimit {
  name: string;
  max: number;
  /** In milliseconds; `RATE_LIMIT_WINDOW_MS` where it is absent. */
  windowMs?: number;
}

/** For monitoring: requests that were refused, by limit, and hits that the shared store did not count. */
export interface RateLimitFacts {
  readonly refused: Readonly<Record<string, number>>;
  readonly storeFailures: number;
  readonly storeAway: boolean;
}

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
const WRITES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

const clientOf = ({ ip, socket }: FastifyRequest) => clientKey(ip, socket.remoteAddress);
const isApi = (path: string) => /^\/api(?:[/?]|$)/.test(path);

export const rateLimit = fp<RateLimitOptions>(async (app, { max, windowMs, lifecycle, shared }) => {
  const reads = new Limit('reads', max, windowMs);
  const writes = new Limit('writes', max * WRITES_SHARE, windowMs);
  const operators = new Limit('operators', max * OPERATORS_FACTOR, windowMs);
  const operatorKeys = new Tries('operator-keys', windowMs);
  const tries = { 'sign-in': new Tries('sign-ins', windowMs), 'operator-sign-in': operatorKeys };
  const limits = new Map<string, Limit>();
  for (const limit of [reads, writes, operators, operatorKeys.limit, tries['sign-in'].limit])
    limits.set(limit.name, limit);
  const own = new Map<string, Limit>();
  const store = shared && (await SharedCounter.open(app, clientOf, shared));

  app.decorate('rateLimits', {
    get refused() {
      const all = [...limits.values()].filter(({ refused }) => refused > 0);
      return Object.fromEntries(all.map(({ name, refused }) => [name, refused]));
    },
    get storeFailures() {
      return store?.failures ?? 0;
    },
    get storeAway() {
      return store?.away ?? false;
    },
  });

  function limitRequest(
    request: FastifyRequest,
    reply: FastifyReply,
    { config }: FastifyRequest['routeOptions'],
    done: HookHandlerDoneFunction,
  ): void {
    const option = config?.limit;
    if (option === false) {
      done();
      return;
    }
    const now = performance.now();
    const client = clientOf(request);
    let limit = WRITES.has(request.method) ? writes : reads;
    if (typeof option === 'object') limit = own.get(option.name) as Limit;
    else if (option === 'sign-in' || option === 'operator-sign-in') {
      const refusal = tries[option].begin(request, reply, client, now);
      if (refusal !== undefined) {
        done(refusal);
        return;
      }
    }
    const { headers } = request;
    if (
      (headers.authorization !== undefined ||
        headers['x-api-key'] !== undefined ||
        headers.cookie !== undefined) &&
      config?.access === 'operator'
    ) {
      const key = request.operatorKey;
      if (key === 'wrong') {
        done(operatorKeys.fail(request, reply, client, now));
        return;
      }
      if (key === 'right' && typeof option !== 'object') limit = operators;
    }

    const local = () => {
      const { hits, endsAt } = limit.windows.hit(client, now);
      done(limit.admit(reply, hits, endsAt - now));
    };
    if (store === undefined || option === 'local' || !lifecycle.started || store.away) {
      local();
      return;
    }
    const refusedForMs = store.refusesFor(limit, client, now);
    if (refusedForMs > 0) {
      done(limit.refuse(reply, refusedForMs));
      return;
    }
    store.count(limit, client, request).then((counted) => {
      if (counted === undefined) local();
      else done(limit.admit(reply, counted.hits, counted.endsInMs));
    });
  }

  app.addHook('onRequest', (request, reply, done) => {
    const url = request.raw.url as string;
    // The usual page or file is let through at a glance. The router also takes addresses with encoded letters, and
    // whole ones (`GET http://…`): what those lead to, it knows best.
    if (!isApi(url) && url.startsWith('/') && !url.includes('%')) {
      done();
      return;
    }
    // Fastify makes this object at each look, so it is taken once.
    const { routeOptions } = request;
    const { url: route } = routeOptions;
    const path = route === undefined || route.startsWith('/*') ? url : route;
    if (isApi(path)) limitRequest(request, reply, routeOptions, done);
    else done();
  });

  app.addHook('onRoute', (route) => {
    const limit = route.config?.limit;
    if (typeof limit === 'object') addOwn(limit);
    // Elsewhere a route is limited where it says so, and where an operator's key may be guessed.
    if (!isApi(route.url) && limit !== false && (limit || route.config?.access === 'operator')) {
      const hook: onRequestHookHandler = (request, reply, done) =>
        limitRequest(request, reply, request.routeOptions, done);
      route.onRequest = [hook, ...[route.onRequest ?? []].flat()];
    }
    if (limit === 'sign-in' || limit === 'operator-sign-in') {
      const settle: onResponseHookHandler = (request, reply, done) => {
        tries[limit].settle(request, reply.statusCode);
        done();
      };
      route.onResponse = [settle, ...[route.onResponse ?? []].flat()];
    }
  });

  function addOwn({ name, max: ownMax, windowMs: ownWindowMs = windowMs }: OwnLimit): void {
    const limit = new Limit(name, ownMax, ownWindowMs);
    const known = limits.get(name);
    if (known === undefined) {
      limits.set(name, limit);
      own.set(name, limit);
    } else if (!own.has(name) || known.max !== limit.max || known.windowMs !== limit.windowMs) {
      throw new TypeError(
        `There is a limit '${name}' already, of ${known.max} requests in ${known.windowMs} ms: choose another name.`,
      );
    }
  }
});

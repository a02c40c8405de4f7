/**
 * Adds a limit to each request under `/api`: how many of its kind one client may make in a window, with the headers
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), and past it 429 with `Retry-After`.
 *
 * A user who is signed in is a client, wherever the requests come from, so that an office behind one address is not throttled
 * together. Who asks is known only once the route's access has been judged, which costs something: until then such a request
 * counts for its address, with as high a ceiling as an operator's.
 *
 * It stands before everything that costs something. Probes, pages and files are free; an address under `/api` that does
 * not exist is not. A request counts in one window: its route's own, or that of its kind: reads, writes, operators'.
 *
 * Credentials are read only where the route asks for an operator's. A wrong key counts in a window of its own, past which
 * wrong keys are refused without an answer. The right one is always accepted: `config/secrets.ts` sees to it that keys
 * cannot be guessed, and operators may share an address with an attacker. Sign-ins may be by password, so past their
 * window none is checked.
 *
 * Local windows are a map. `@fastify/rate-limit` counts where several processes share a store.
 */
import type {
  FastifyContextConfig,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  onRequestHookHandler,
  onResponseHookHandler,
} from 'fastify';
import fp from 'fastify-plugin';
import type { Lifecycle } from '../../health/lifecycle.ts';
import type { ProblemError } from '../../lib/problem.ts';
import { isWriteMethod } from '../../lib/write-method.ts';
import type {} from '../access/access.ts';
import type {} from '../access/operators.ts';
import { clientKey } from './client-key.ts';
import { Guesses } from './guesses.ts';
import { Limit } from './limit.ts';
import { SharedCounter, type SharedStore } from './shared-counter.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * `local`: counted by this process alone. `sign-in`, `operator-sign-in`: refused after too many failures.
     * `false`: free. An object: a limit of the route's own, in place of the one for its kind, for operators as well.
     */
    limit?: 'local' | 'sign-in' | 'operator-sign-in' | false | OwnLimit;
  }
  interface FastifyInstance {
    rateLimits: RateLimitFacts;
    /**
     * Counts a request's operator key where it is wrong: for public routes that ask for operators themselves, since the limit
     * knows the access of the route alone.
     *
     * @throws ProblemError once there were too many.
     */
    limitWrongKeys(request: FastifyRequest, reply: Pick<FastifyReply, 'header'>): void;
  }
}

/** Routes that name the same limit share it. */
export interface OwnLimit {
  name: string;
  max: number;
  /** In milliseconds; `RATE_LIMIT_WINDOW_MS` where it is absent. */
  windowMs?: number;
}

/** For monitoring: refused requests by limit, and hits that the shared store did not count. */
export interface RateLimitFacts {
  readonly refused: Readonly<Record<string, number>>;
  readonly storeFailures: number;
}

export interface RateLimitOptions {
  /** Requests that one client may make in a window. Writes get a fifth of it, operators ten times as many. */
  max: number;
  /** In milliseconds. */
  windowMs: number;
  lifecycle: Lifecycle;
  shared?: SharedStore | undefined;
}

type Refusal = ProblemError | undefined;
type Option = FastifyContextConfig['limit'];

const WRITES_SHARE = 1 / 5;
const OPERATORS_FACTOR = 10;

/** The user, once that is known; before, and of strangers, the address. */
const clientOf = ({ scope, ip, socket }: FastifyRequest) =>
  scope === undefined ? clientKey(ip, socket.remoteAddress) : `user:${scope.userId}`;
const isApi = (path: string) => /^\/api(?:[/?]|$)/.test(path);

export const rateLimit = fp<RateLimitOptions>(async (app, { max, windowMs, lifecycle, shared }) => {
  const reads = new Limit('reads', max, windowMs);
  const writes = new Limit('writes', max * WRITES_SHARE, windowMs);
  const operators = new Limit('operators', max * OPERATORS_FACTOR, windowMs);
  /** Of one address, before it is known which users they are: each process counts for itself. */
  const signedIn = new Limit('signed-in', max * OPERATORS_FACTOR, windowMs);
  const { hasIdentity } = app.declaredAccess;
  const guesses = {
    'sign-in': new Guesses('sign-ins', windowMs),
    'operator-sign-in': new Guesses('operator-keys', windowMs),
  };
  const wrongKeys = guesses['operator-sign-in'];
  const shipped = [reads, writes, operators, signedIn, wrongKeys.limit, guesses['sign-in'].limit];
  const own = new Map<string, Limit>();
  let store: SharedCounter | undefined;
  if (shared) {
    const { timeoutMs, ...options } = shared;
    const { default: plugin } = await import('@fastify/rate-limit');
    await app.register(plugin, { ...options, global: false });
    store = new SharedCounter(app, clientOf, timeoutMs);
  }

  app.decorate('rateLimits', {
    get refused() {
      const all = [...shipped, ...own.values()].filter(({ refused }) => refused > 0);
      return Object.fromEntries(all.map(({ name, refused }) => [name, refused]));
    },
    get storeFailures() {
      return store?.failures ?? 0;
    },
  });

  const countWrongKey = (request: FastifyRequest, reply: Pick<FastifyReply, 'header'>) =>
    wrongKeys.fail(request, reply, clientOf(request), performance.now());
  app.decorate('limitWrongKeys', (request, reply) => {
    const refusal = request.operatorKey === 'wrong' && countWrongKey(request, reply);
    if (refusal) throw refusal;
  });

  /** @returns Why a request is refused; undefined where it is admitted. */
  function judge(
    request: FastifyRequest,
    reply: FastifyReply,
    { config }: FastifyRequest['routeOptions'],
  ): Refusal | Promise<Refusal> {
    const option = config?.limit;
    if (option === false) return undefined;
    if (option === 'sign-in' || option === 'operator-sign-in') {
      const refusal = guesses[option].begin(request, reply, clientOf(request), performance.now());
      if (refusal !== undefined) return refusal;
    }
    const access = config?.access;
    if (access === undefined || access === 'public' || !hasCredentials(request))
      return count(limitOf(request, option), option, request, reply);
    if (access === 'operator') {
      const key = request.operatorKey;
      if (key === 'wrong') return countWrongKey(request, reply);
      if (key === 'right') return count(limitOf(request, option, operators), option, request, reply);
    }
    return hasIdentity
      ? countHere(signedIn, request, reply)
      : count(limitOf(request, option), option, request, reply);
  }

  /** @param usual In place of the one for its kind. */
  function limitOf({ method }: FastifyRequest, option: Option, usual?: Limit): Limit {
    if (typeof option === 'object') return own.get(option.name) as Limit;
    return usual ?? (isWriteMethod(method) ? writes : reads);
  }

  function countHere(limit: Limit, request: FastifyRequest, reply: FastifyReply): Refusal {
    const now = performance.now();
    const { hits, endsAt } = limit.hit(clientOf(request), now);
    return limit.admit(reply, hits, endsAt - now);
  }

  function count(
    limit: Limit,
    option: Option,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Refusal | Promise<Refusal> {
    const judgeHere = () => countHere(limit, request, reply);
    if (store === undefined || option === 'local' || !lifecycle.started || store.paused) return judgeHere();
    // The store would tell nothing new.
    const closedForMs = limit.closedForMs(clientOf(request), performance.now());
    if (closedForMs !== undefined) return limit.refuse(reply, closedForMs);
    return store
      .count(limit, request)
      .then((counted) => (counted ? limit.admit(reply, counted.hits, counted.endsInMs) : judgeHere()));
  }

  function settle(refusal: Refusal | Promise<Refusal>, done: HookHandlerDoneFunction): void {
    if (refusal instanceof Promise) refusal.then(done, done);
    else done(refusal);
  }

  app.addHook('onRequest', (request, reply, done) => {
    const url = request.raw.url as string;
    // The usual page or file passes at a glance. The router also takes addresses with encoded letters, and whole ones
    // (`GET http://…`), so those are judged by their route.
    if (!isApi(url) && url.startsWith('/') && !url.includes('%')) {
      done();
      return;
    }
    // Fastify makes this object at each access.
    const { routeOptions } = request;
    const { url: route } = routeOptions;
    const path = route === undefined || route.startsWith('/*') ? url : route;
    if (isApi(path)) settle(judge(request, reply, routeOptions), done);
    else done();
  });

  app.addHook('onRoute', (route) => {
    const limit = route.config?.limit;
    if (typeof limit === 'object') addOwn(limit);
    const access = route.config?.access;
    // Outside the API a route is limited where it says so, and where an operator's key may be guessed.
    const isLimited = limit !== false && (isApi(route.url) || limit !== undefined || access === 'operator');
    if (isLimited && !isApi(route.url)) {
      const hook: onRequestHookHandler = (request, reply, done) =>
        settle(judge(request, reply, request.routeOptions), done);
      route.onRequest = [hook, ...[route.onRequest ?? []].flat()];
    }
    if (isLimited && hasIdentity && access !== 'public') {
      // Behind the hook that judges the access, which says who the user is.
      const usual = access === 'operator' ? operators : undefined;
      const hook: onRequestHookHandler = (request, reply, done) => {
        if (request.scope === undefined || !hasCredentials(request)) done();
        else settle(count(limitOf(request, limit, usual), limit, request, reply), done);
      };
      route.onRequest = [...[route.onRequest ?? []].flat(), hook];
    }
    if (limit === 'sign-in' || limit === 'operator-sign-in') {
      const settleGuess: onResponseHookHandler = (request, reply, done) => {
        guesses[limit].settle(request, reply.statusCode);
        done();
      };
      route.onResponse = [settleGuess, ...[route.onResponse ?? []].flat()];
    }
  });

  function addOwn({ name, max: ownMax, windowMs: ownWindowMs = windowMs }: OwnLimit): void {
    const limit = new Limit(name, ownMax, ownWindowMs);
    const known = own.get(name) ?? shipped.find((one) => one.name === name);
    if (known === undefined) own.set(name, limit);
    else if (!own.has(name) || known.max !== limit.max || known.windowMs !== limit.windowMs) {
      throw new TypeError(
        `There is a limit '${name}' already, of ${known.max} requests in ${known.windowMs} ms: choose another name.`,
      );
    }
  }
});

const hasCredentials = ({ headers }: FastifyRequest) =>
  headers.authorization !== undefined || headers['x-api-key'] !== undefined || headers.cookie !== undefined;

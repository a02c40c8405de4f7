/**
 * Adds the option `access` to routes: `config: { access: 'operator' }` answers to holders of `INTERNAL_API_KEY` alone.
 *
 * It stands before every route, because it looks at each as it is registered. A route that is public pays nothing; one
 * under `/api/monitoring/`, and `/metrics`, is for operators unless it says otherwise, so that forgetting fails closed.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../lib/problem.ts';

/** Who may be asked for. A later feature adds its own level here, by merging, and its rule to `app.accessRules`. */
export interface AccessLevels {
  public: true;
  operator: true;
}

export type AccessLevel = keyof AccessLevels;

/** Whether a request carries the operators' key, and whether it is right. */
export type OperatorKey = 'absent' | 'wrong' | 'right';

/** @throws ProblemError `unauthorized` or `forbidden` for a request that may not come in. */
export type AccessRule = (request: FastifyRequest) => void;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who is answered; `public` by default, `operator` under `/api/monitoring/`. */
    access?: AccessLevel;
  }
  interface FastifyRequest {
    readonly operatorKey: OperatorKey;
  }
  interface FastifyInstance {
    accessRules: Map<AccessLevel, AccessRule>;
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest();

/**
 * Recognises the operators' key in `Authorization: Bearer` or `X-API-Key`.
 *
 * Hashes are compared, because those are equally long whatever was sent, and always with all keys, so that the time taken
 * tells neither how much of a key was right nor which one it was.
 *
 * @param keys All that are valid; empty: none is.
 */
export function operatorKeyReader(keys: readonly string[]): (request: FastifyRequest) => OperatorKey {
  const hashes = keys.map(sha256);
  return ({ headers }) => {
    const { authorization, 'x-api-key': apiKey } = headers;
    if (authorization === undefined && apiKey === undefined) return 'absent';
    const given = typeof apiKey === 'string' ? apiKey : /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    if (given === undefined) return 'absent';
    const hash = sha256(given);
    let right = false;
    for (const known of hashes) right = timingSafeEqual(known, hash) || right;
    return right ? 'right' : 'wrong';
  };
}

/** Whether a route that does not say is for operators: everything under these addresses is. */
const isOperators = (url: string) => url === '/metrics' || `${url}/`.startsWith('/api/monitoring/');

/** @returns Who is answered by a route. */
export const accessOf = (route: {
  url: string;
  config?: { access?: AccessLevel } | undefined;
}): AccessLevel => route.config?.access ?? (isOperators(route.url) ? 'operator' : 'public');

export const access = fp<{ keys: readonly string[] }>(async (app: FastifyInstance, { keys }) => {
  const read = operatorKeyReader(keys);
  app.decorateRequest('operatorKey', {
    getter(this: FastifyRequest) {
      return read(this);
    },
  });

  const rules = new Map<AccessLevel, AccessRule>();
  rules.set('operator', (request) => {
    const key = request.operatorKey;
    if (key === 'right') return;
    const challenge = `Bearer realm="operators"${key === 'wrong' ? ', error="invalid_token"' : ''}`;
    throw new ProblemError('unauthorized', whyNot(key, keys.length > 0), {
      headers: { 'www-authenticate': challenge },
    });
  });
  app.decorate('accessRules', rules);

  app.addHook('onRoute', (route) => {
    const level = accessOf(route);
    if (level === 'public') return;
    const rule = rules.get(level);
    if (rule === undefined) {
      throw new Error(
        `${route.url} asks for access '${level}', and no plugin before it has said what that is.`,
      );
    }
    const check: typeof route.onRequest = (request, _reply, done) => {
      rule(request);
      done();
    };
    route.onRequest = [check, ...[route.onRequest ?? []].flat()];
  });

  // An address that does not exist looks, from outside, like one that does.
  app.route({
    method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: '/api/monitoring/*',
    handler: (_request, reply) => reply.callNotFound(),
  });
});

function whyNot(key: OperatorKey, open: boolean): string {
  if (!open)
    return 'This is for operators, and no key is set. Set INTERNAL_API_KEY and start the server again.';
  if (key === 'wrong') return 'This key is not one of those in INTERNAL_API_KEY.';
  return 'This is for operators. Send a key of INTERNAL_API_KEY as Authorization: Bearer, or as X-API-Key.';
}

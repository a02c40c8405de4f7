/**
 * Adds `@fastify/cors` for the origins of `CORS_ORIGINS`: their pages may call the API. Without `CORS_ORIGINS` it is not
 * loaded. Pages, files, operators' routes and routes with `cors: false` are for pages of this origin alone: a page of
 * another host of the same site is sent the operator's cookie with whatever it requests.
 *
 * It stands before everything that can refuse a request, so that a page may read why it was refused.
 */
import type { FastifyContextConfig, FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type {} from './access/access.ts';

/** What a page of another origin may send and read; `@fastify/cors`'s configuration. */
export const CORS = {
  credentials: true,
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  allowedHeaders: [
    'Authorization',
    'Content-Type',
    'If-Match',
    'If-None-Match',
    'X-API-Key',
    'X-Request-Id',
    'traceparent',
  ],
  exposedHeaders: ['ETag', 'Location', 'X-Request-Id', 'RateLimit', 'RateLimit-Policy', 'Retry-After'],
  // Chrome keeps a preflight for two hours at most.
  maxAge: 7_200,
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `false`: pages of other origins can neither read nor write here. */
    cors?: false;
    /** On a route that answers preflights: the methods of its address that are for pages of this origin alone. */
    ownOriginMethods?: ReadonlySet<string>;
  }
}

/** Whether pages of `CORS_ORIGINS` may call a route. */
export const isForOtherOrigins = (config: FastifyContextConfig | undefined) =>
  config?.cors !== false && config?.access !== 'operator';

export const cors = fp<{ origins: readonly string[] }>(async (app: FastifyInstance, { origins }) => {
  if (origins.length === 0) return;
  const { default: plugin } = await import('@fastify/cors');
  const listed = new Set(origins);
  // For these two the plugin sends `Vary: Origin`, so that a cache does not give one origin what was made for another.
  const allowed = { ...CORS, origin: [...origins] };
  const refused = { origin: false };
  const mayCall = ({ url, headers, routeOptions: { config } }: FastifyRequest) =>
    url.startsWith('/api/') &&
    listed.has(headers.origin ?? '') &&
    isForOtherOrigins(config) &&
    !config?.ownOriginMethods?.has(String(headers['access-control-request-method']));
  await app.register(plugin, {
    delegator: (request, done) => done(null, mayCall(request) ? allowed : refused),
  });

  // A preflight reaches its own route, which names no access. It needs one at each address that is not for all origins.
  const preflights = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method, config }) => {
    if (isForOtherOrigins(config)) return;
    let methods = preflights.get(url);
    if (methods === undefined) {
      methods = new Set();
      preflights.set(url, methods);
      app.options(url, { config: { access: 'public', ownOriginMethods: methods } }, (_request, reply) =>
        reply.callNotFound(),
      );
    }
    for (const one of [method].flat()) methods.add(one);
  });
});

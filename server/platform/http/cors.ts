/**
 * Adds, for the origins of `CORS_ORIGINS`, the headers that let their pages call the API, and answers their preflights.
 * Routes for operators, and those with `cors: false`, are for pages of this origin alone: a page beside it on the same site
 * is sent the operator's cookie with whatever it asks.
 *
 * As with helmet, `@fastify/cors` is asked once for each origin, at start, and what it said is sent ever after. Without
 * `CORS_ORIGINS` it is not even loaded; a request without `Origin` pays one look. It stands before everything that can
 * refuse a request, so that a page may read why it was refused.
 */
import type { FastifyContextConfig, FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { pathOf } from '../lib/problem.ts';
import type {} from './access/access.ts';
import { sendLine } from './quick-response.ts';

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
  }
}

/** Whether pages of `CORS_ORIGINS` may call a route. */
export const isForOtherOrigins = (config: FastifyContextConfig | undefined) =>
  config?.cors !== false && config?.access !== 'operator';

interface Blocks {
  answer: Record<string, string>;
  preflight: Record<string, string>;
}

/** @returns What `@fastify/cors` sends to each of the origins. */
export async function corsBlocks(origins: readonly string[]): Promise<Map<string, Blocks>> {
  const [{ default: cors }, { default: Fastify }] = await Promise.all([
    import('@fastify/cors'),
    import('fastify'),
  ]);
  const probe = Fastify();
  await probe.register(cors, { ...CORS, origin: [...origins] });
  probe.get('/', async () => null);
  const ask = async (method: 'GET' | 'OPTIONS', origin: string) => {
    const headers = { origin, 'access-control-request-method': 'PATCH' };
    const answer = await probe.inject({ method, url: '/', headers });
    return Object.fromEntries(
      Object.entries(answer.headers)
        .filter(([name]) => name === 'vary' || name.startsWith('access-control-'))
        .map(([name, value]) => [name, String(value)]),
    );
  };
  const blocks = new Map<string, Blocks>();
  for (const origin of origins) {
    blocks.set(origin, { answer: await ask('GET', origin), preflight: await ask('OPTIONS', origin) });
  }
  await probe.close();
  return blocks;
}

export const cors = fp<{ origins: readonly string[] }>(async (app: FastifyInstance, { origins }) => {
  if (origins.length === 0) return;
  const blocks = await corsBlocks(origins);
  const routes = rememberRoutes(app);
  app.addHook('onRequest', (request, reply, done) => {
    const { headers, method, url } = request;
    if (!url.startsWith('/api/')) return done();
    const block = headers.origin === undefined ? undefined : blocks.get(headers.origin);
    const wanted = method === 'OPTIONS' ? headers['access-control-request-method'] : undefined;
    const { url: route, config } = request.routeOptions;
    if (
      block === undefined ||
      (wanted === undefined
        ? route !== undefined && !isForOtherOrigins(config)
        : !routes.mayBeAsked(wanted, url))
    ) {
      // Also where nobody asked: a cache must not give one origin what was made for another.
      sendLine(reply, 'vary', 'Origin');
      return done();
    }
    if (wanted !== undefined) {
      reply.code(204).headers(block.preflight).send();
      return;
    }
    reply.headers(block.answer);
    done();
  });
});

/** Keeps every registered pattern: a preflight leads to no route, and names one by its method and address. */
function rememberRoutes(app: FastifyInstance): { mayBeAsked(method: string, url: string): boolean } {
  const routes: { pattern: RegExp; methods: string[]; open: boolean }[] = [];
  app.addHook('onRoute', (route) => {
    const source = route.url
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replace(/:[^/]+/g, '[^/]+')
      .replaceAll('*', '.*');
    const methods = [route.method].flat();
    routes.push({ pattern: new RegExp(`^${source}$`), methods, open: isForOtherOrigins(route.config) });
  });
  return {
    mayBeAsked(method, url) {
      const path = decoded(pathOf(url));
      const meant = routes.filter(({ pattern, methods }) => methods.includes(method) && pattern.test(path));
      return meant.length > 0 && meant.every(({ open }) => open);
    },
  };
}

/** As the router reads an address; one that it cannot read leads nowhere. */
function decoded(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return '';
  }
}

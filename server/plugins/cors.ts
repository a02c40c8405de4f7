/**
 * Adds, for the origins of `CORS_ORIGINS`, the headers that let their pages call the API, and answers their preflights.
 *
 * As with helmet, `@fastify/cors` is asked once for each origin, at start, and what it said is sent ever after. Without
 * `CORS_ORIGINS` it is not even loaded; a request without `Origin` pays one look. It stands before everything that can
 * refuse a request, so that a page may read why it was refused.
 */
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { sendLine } from '../lib/quick-response.ts';

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
  app.addHook('onRequest', (request, reply, done) => {
    const { headers, method, url } = request;
    if (!url.startsWith('/api/')) return done();
    const block = headers.origin === undefined ? undefined : blocks.get(headers.origin);
    if (block === undefined) {
      // Also where nobody asked: a cache must not give one origin what was made for another.
      sendLine(reply, 'vary', 'Origin');
      return done();
    }
    if (method === 'OPTIONS' && headers['access-control-request-method'] !== undefined) {
      reply.code(204).headers(block.preflight).send();
      return;
    }
    reply.headers(block.answer);
    done();
  });
});

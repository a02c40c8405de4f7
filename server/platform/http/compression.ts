/**
 * Adds `@fastify/compress` to the routes that ask for it (`config: { compress: true }`), for answers from 1 KiB on. Files
 * are not compressed here: the build has done that.
 *
 * A route has to ask for it because of BREACH (breachattack.com): where an answer holds a secret and, beside it, text that
 * an attacker chose, its compressed length tells how much of the secret the text has guessed. So a route whose answer
 * carries a token, a key or another secret must not ask for it if it also repeats what came with the request. Lists of the
 * reader's own data, which repeat nothing, may.
 *
 * It stands before the routes, because it looks at each as it is registered.
 */
import { promisify } from 'node:util';
import type { FastifyReply, FastifyRequest, onSendAsyncHookHandler, onSendHookHandler } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its answers are compressed from 1 KiB on; see what `compression.ts` says of secrets. */
    compress?: boolean;
  }
}

/** In bytes, or in characters, which are no more. A smaller answer fits into one packet as it is. */
const MIN_COMPRESS_LENGTH = 1_024;

export const compression = fp(async (app) => {
  app.addHook('onRoute', (route) => {
    if (route.config?.compress) route.onSend = [...[route.onSend ?? []].flat(), compress];
  });
});

type Compress = (request: FastifyRequest, reply: FastifyReply, payload: unknown) => Promise<unknown>;

let loading: Promise<Compress> | undefined;

const compress: onSendAsyncHookHandler = async (request, reply, payload) => {
  if (!isWorthIt(payload) || request.headers['accept-encoding'] === undefined) return payload;
  loading ??= load().catch((error) => {
    // The next answer tries again.
    loading = undefined;
    throw error;
  });
  const compressed = await (await loading)(request, reply, payload);
  const tag = reply.getHeader('etag');
  // The bytes differ from those of the same version as it is (RFC 9110, 8.8.1).
  if (reply.hasHeader('content-encoding') && typeof tag === 'string' && tag.startsWith('"')) {
    reply.header('etag', `W/${tag}`);
  }
  return compressed ?? payload;
};

/** The length of a stream is not known, so it counts as long. */
function isWorthIt(payload: unknown): boolean {
  if (typeof payload === 'string' || Buffer.isBuffer(payload)) return payload.length >= MIN_COMPRESS_LENGTH;
  return payload != null;
}

/**
 * Loads `@fastify/compress` for the first large answer: at start it would take 5.5 MB of every process
 * (docs/decisions/0026-packages-as-documented.md). Registered on an application of its own, it adds its hook to a route.
 */
async function load(): Promise<Compress> {
  const [{ default: plugin }, { default: Fastify }] = await Promise.all([
    import('@fastify/compress'),
    import('fastify'),
  ]);
  const app = Fastify();
  await app.register(plugin, { threshold: MIN_COMPRESS_LENGTH, encodings: ['zstd', 'br', 'gzip'] });
  let hook: unknown;
  app.addHook('onRoute', ({ onSend }) => {
    hook = [onSend].flat().at(-1);
  });
  app.get('/', async () => null);
  await app.close();
  return promisify((hook as onSendHookHandler).bind(app)) as Compress;
}

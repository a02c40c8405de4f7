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
import type { onSendHookHandler } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its answers are compressed from 1 KiB on; see what `compression.ts` says of secrets. */
    compress?: boolean;
  }
}

/** A smaller answer fits into one packet as it is. */
const MIN_COMPRESS_BYTES = 1_024;

export const compression = fp(async (app) => {
  app.addHook('onRoute', (route) => {
    if (route.config?.compress) route.compress = {};
  });
  const { default: compress } = await import('@fastify/compress');
  await app.register(compress, {
    global: false,
    threshold: MIN_COMPRESS_BYTES,
    encodings: ['zstd', 'br', 'gzip'],
  });
  app.addHook('onRoute', (route) => {
    if (route.config?.compress) route.onSend = [...[route.onSend ?? []].flat(), weakenTag];
  });
});

/** The bytes differ from those of the same version as it is (RFC 9110, 8.8.1). */
const weakenTag: onSendHookHandler = (_request, reply, payload, done) => {
  const tag = reply.getHeader('etag');
  if (reply.hasHeader('content-encoding') && typeof tag === 'string' && tag.startsWith('"')) {
    reply.header('etag', `W/${tag}`);
  }
  done(null, payload);
};

/**
 * Adds compression to the answers of routes that ask for it (`config: { compress: true }`), from 1 KiB on.
 *
 * Compressing costs more than answering where an answer is small, so small ones are let go with one look at their
 * length, and other routes never come here. Files are no concern of this: the build has compressed them.
 *
 * A route asks for it, and does not get it unasked, because of BREACH (breachattack.com): where an answer holds a secret
 * and, beside it, text that an attacker chose, its compressed length tells how much of the secret the text has guessed.
 * So a route whose answer carries a token, a key or anything else that only its reader may know must not ask for it if it
 * also repeats what came with the request. Lists of the reader's own data, which repeat nothing, may.
 *
 * It stands before the routes, because it looks at each as it is registered.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its answers are compressed from 1 KiB on; see what `compression.ts` says of secrets. */
    compress?: boolean;
  }
}

/** In bytes, or in characters, which are no more: below this a packet is a packet. */
const LEAST = 1_024;

type OnSend = (
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error?: Error | null, payload?: unknown) => void,
) => void;

let loading: Promise<OnSend> | undefined;
let compress: OnSend | undefined;

export const compression = fp(async (app) => {
  app.addHook('onRoute', (route) => {
    if (route.config?.compress !== true) return;
    route.onSend = [...[route.onSend ?? []].flat(), onSend];
  });
});

const onSend: OnSend = (request, reply, payload, done) => {
  if (!isWorthIt(payload) || request.headers['accept-encoding'] === undefined) {
    done(null, payload);
    return;
  }
  const goOn: typeof done = (error, result) => {
    const tag = reply.getHeader('etag');
    // The bytes differ from those of the same version as it is (RFC 9110, 8.8.1).
    if (reply.hasHeader('content-encoding') && typeof tag === 'string' && tag.startsWith('"')) {
      reply.header('etag', `W/${tag}`);
    }
    done(error, result ?? payload);
  };
  if (compress !== undefined) {
    compress(request, reply, payload, goOn);
    return;
  }
  loading ??= load();
  loading.then((loaded) => {
    compress = loaded;
    loaded(request, reply, payload, goOn);
  }, goOn);
};

/** Streams are, because nobody knows how long they are. */
function isWorthIt(payload: unknown): boolean {
  if (typeof payload === 'string' || Buffer.isBuffer(payload)) return payload.length >= LEAST;
  return payload != null;
}

/**
 * Takes from `@fastify/compress` the hook that it would put on a route. It is asked for when the first large answer is
 * there: loading it takes as long as a tenth of the whole start.
 */
async function load(): Promise<OnSend> {
  const [{ default: plugin }, { default: Fastify }] = await Promise.all([
    import('@fastify/compress'),
    import('fastify'),
  ]);
  const app = Fastify();
  await app.register(plugin, {
    threshold: LEAST,
    encodings: ['zstd', 'br', 'gzip'],
    globalDecompression: false,
  });
  let hook: unknown;
  app.addHook('onRoute', (route) => {
    hook = [route.onSend].flat().at(-1);
  });
  app.get('/', async () => null);
  await app.close();
  return hook as OnSend;
}

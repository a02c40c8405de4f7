import { memoryLimit } from '../../lib/memory.ts';
import { inGroup, setting } from '../setting.ts';
import {
  bytes,
  choice,
  exactOrigins,
  GIB,
  HSTS_DEFAULT,
  integer,
  MIB,
  milliseconds,
  PRIVATE_RANGES,
  parseRate,
  redisUrl,
  strictTransportSecurity,
  trustedProxies,
} from '../values.ts';

/** The share of memory for all request bodies, and again for all headers. */
const anEighthOfMemory = () => Math.floor((memoryLimit() ?? Number.POSITIVE_INFINITY) / 8);

/** Node's limit for the headers of one request. */
const HEADER_BYTES = 16 * 1024;

export const requests = inGroup('Requests', {
  trustProxy: setting('TRUST_PROXY', trustedProxies, {
    default: ({ platform }) => (platform.replit ? PRIVATE_RANGES : false),
    defaultText: 'none; the private ranges on Replit, whose proxy is the only way in',
    doc: 'The proxies whose `X-Forwarded-*` headers are trusted. A number of hops is refused: it would trust any client.',
  }),
  corsOrigins: setting('CORS_ORIGINS', exactOrigins, {
    default: [],
    defaultText: 'the same origin only',
    aliases: ['CORS_ORIGIN', 'CORS_ALLOWED_ORIGINS', 'ALLOWED_ORIGINS'],
    doc: 'Other origins whose pages may call the API.',
  }),
  rateLimit: {
    max: setting('RATE_LIMIT_MAX', integer(1, 1_000_000_000), {
      default: 300,
      aliases: ['RATE_LIMIT_MAX_REQUESTS'],
      rewritten: { API_RATE_LIMIT: (rate) => String(parseRate(rate).max) },
      doc: 'API requests that one client may send in a window. Writes: a fifth of it. Operators: ten times as many.',
    }),
    windowMs: setting('RATE_LIMIT_WINDOW_MS', milliseconds(1, 86_400_000), {
      default: 60_000,
      rewritten: { API_RATE_LIMIT: (rate) => String(parseRate(rate).windowMs) },
      doc: 'The length of that window.',
    }),
    store: setting('RATE_LIMIT_STORE', choice('memory', 'postgres', 'redis'), {
      default: 'memory',
      doc: 'Where requests are counted: `memory` in each process, the others for all processes together.',
    }),
  },
  redisUrl: setting('REDIS_URL', redisUrl, {
    doc: 'Required by `RATE_LIMIT_STORE=redis`, and used by nothing else.',
  }),
  http: {
    bodyLimitBytes: setting('BODY_LIMIT_BYTES', bytes(1, GIB), {
      default: 128 * 1024,
      doc: 'The largest request body; a larger one is answered 413, unless its route allows more (`bodyLimit`).',
    }),
    bodyMemoryBytes: setting('BODY_MEMORY_BYTES', bytes(1, 1024 * GIB), {
      default: () => Math.min(32 * MIB, anEighthOfMemory()),
      defaultText: '`33554432` (32 MiB), or an eighth of the memory limit where that is less',
      doc: 'The memory for all request bodies together. Beyond it, requests with a body are answered 503.',
    }),
    requestTimeoutMs: setting('REQUEST_TIMEOUT_MS', milliseconds(), {
      default: 30_000,
      doc: 'How long a handler may take to begin its answer. Streams that have begun are exempt.',
    }),
    keepAliveTimeoutMs: setting('KEEP_ALIVE_TIMEOUT_MS', milliseconds(), {
      default: 65_000,
      doc: "How long an idle connection is kept. It must exceed the load balancer's time-out, which is mostly 60 s.",
    }),
    maxConnections: setting('HTTP_MAX_CONNECTIONS', integer(1, 10_000_000), {
      default: () => Math.min(10_000, Math.floor(anEighthOfMemory() / HEADER_BYTES)),
      defaultText: '`10000`; less where the memory limit is below 1.3 GB: 2048 for 256 MiB',
      doc: 'The most client connections at once. For connections to the database see `DB_POOL_SIZE`.',
    }),
  },
  /** The header's value, for answers over TLS only. */
  hsts: setting('HSTS', strictTransportSecurity, {
    default: ({ environment }) => (environment === 'production' ? HSTS_DEFAULT : false),
    defaultText: `\`${HSTS_DEFAULT}\` in production over TLS`,
    doc: 'Tells browsers to use TLS only. Add `; includeSubDomains; preload` by choice alone: it binds a whole domain.',
  }),
});

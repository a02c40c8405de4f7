import { memoryLimit } from '../../lib/memory.ts';
import { inGroup, setting } from '../setting.ts';
import {
  bytes,
  choice,
  GIB,
  HSTS_DEFAULT,
  integer,
  MIB,
  milliseconds,
  PRIVATE_RANGES,
  parseCorsOrigins,
  parseHsts,
  parseRate,
  parseRedisUrl,
  parseTrustProxy,
} from '../values.ts';

/** All bodies, and all headers, may have this share of the memory: each an eighth. */
const anEighthOfMemory = () => Math.floor((memoryLimit() ?? Number.POSITIVE_INFINITY) / 8);

/** What the headers of one connection may hold: Node's own limit. */
const HEADER_BYTES = 16 * 1024;

export const requests = inGroup('Requests', {
  trustProxy: setting(
    'TRUST_PROXY',
    {
      kind: `ranges, comma-separated, or the named sets \`${PRIVATE_RANGES.join('`, `')}\`; \`false\``,
      parse: parseTrustProxy,
    },
    {
      default: ({ platform }) => (platform.replit ? PRIVATE_RANGES : false),
      defaultText: 'none; the private ranges on Replit, whose proxy is the only way in',
      doc: 'The addresses whose `X-Forwarded-*` headers are believed. A number of hops is refused: it believes whoever connects.',
    },
  ),
  corsOrigins: setting(
    'CORS_ORIGINS',
    { kind: 'exact origins, comma-separated', parse: parseCorsOrigins },
    {
      default: [],
      defaultText: 'the same origin only',
      aliases: ['CORS_ORIGIN', 'CORS_ALLOWED_ORIGINS', 'ALLOWED_ORIGINS'],
      doc: 'Other origins whose pages may call the API.',
    },
  ),
  rateLimit: {
    max: setting('RATE_LIMIT_MAX', integer(1, 1_000_000_000), {
      default: 300,
      aliases: ['RATE_LIMIT_MAX_REQUESTS'],
      rewritten: { API_RATE_LIMIT: (rate) => String(parseRate(rate).max) },
      doc: 'Requests to the API that one client may make in a window; writes get a fifth of it, operators ten times as many.',
    }),
    windowMs: setting('RATE_LIMIT_WINDOW_MS', milliseconds(1, 86_400_000), {
      default: 60_000,
      rewritten: { API_RATE_LIMIT: (rate) => String(parseRate(rate).windowMs) },
      doc: 'How long such a window is.',
    }),
    store: setting('RATE_LIMIT_STORE', choice('memory', 'postgres', 'redis'), {
      default: 'memory',
      doc: 'Where it is counted: in each process for itself, or shared by all of them.',
    }),
  },
  redisUrl: setting(
    'REDIS_URL',
    { kind: '`redis://…` or `rediss://…`', parse: parseRedisUrl, secret: 'url' },
    { doc: 'Needed by `RATE_LIMIT_STORE=redis`, and used by nothing else.' },
  ),
  http: {
    bodyLimitBytes: setting('BODY_LIMIT_BYTES', bytes(1, GIB), {
      default: 128 * 1024,
      doc: 'A longer request body is answered 413, unless its route takes more (`bodyLimit`).',
    }),
    bodyMemoryBytes: setting('BODY_MEMORY_BYTES', bytes(1, 1024 * GIB), {
      default: () => Math.min(32 * MIB, anEighthOfMemory()),
      defaultText: '`33554432` (32 MiB), or an eighth of the memory limit where that is less',
      doc: 'What all request bodies under way may hold together. Beyond it requests with a body are answered 503.',
    }),
    requestTimeoutMs: setting('REQUEST_TIMEOUT_MS', milliseconds(), {
      default: 30_000,
      doc: 'How long a handler may take to begin its answer, once the request has arrived; streams that have begun are exempt.',
    }),
    keepAliveTimeoutMs: setting('KEEP_ALIVE_TIMEOUT_MS', milliseconds(), {
      default: 65_000,
      doc: "How long an idle connection is kept. It must be longer than the load balancer's, which is 60 s with most.",
    }),
    maxConnections: setting('HTTP_MAX_CONNECTIONS', integer(1, 10_000_000), {
      default: () => Math.min(10_000, Math.floor(anEighthOfMemory() / HEADER_BYTES)),
      defaultText: '`10000`; less where the memory limit is below 1.3 GB: 2048 for 256 MiB',
      doc: 'Connections of visitors that are open at once, not those to the database (`DB_POOL_SIZE`).',
    }),
  },
  /** The header's value; it belongs on answers over TLS only. */
  hsts: setting(
    'HSTS',
    { kind: 'a `Strict-Transport-Security` header, or `false`', parse: parseHsts },
    {
      default: ({ environment }) => (environment === 'production' ? HSTS_DEFAULT : false),
      defaultText: `\`${HSTS_DEFAULT}\` in production over TLS`,
      doc: 'Tells browsers to come by TLS only. Add `; includeSubDomains; preload` by choice alone: it binds a whole domain.',
    },
  ),
});

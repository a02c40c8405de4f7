/** The platform's settings, in the order of the documentation. Yours are in `server/settings.ts`. */
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { memoryLimit } from '../lib/memory.ts';
import { INTERNAL_API_KEY_RULE, SESSION_SECRET_RULE, secrets } from './secrets.ts';
import { inGroup, type Parser, Refusal, setting } from './setting.ts';
import {
  boolean,
  bytes,
  choice,
  exactOrigins,
  GIB,
  HSTS_DEFAULT,
  hostNames,
  integer,
  items,
  LOOPBACK,
  listenAddresses,
  MIB,
  milliseconds,
  origin,
  PRIVATE_RANGES,
  parseRate,
  path,
  redisUrl,
  strictTransportSecurity,
  text,
  trustedProxies,
} from './values.ts';

export const basics = inGroup('Basics', {
  environment: setting('NODE_ENV', choice('production', 'development', 'test'), {
    default: 'production',
    defaultText: '`production`; `development` under `npm start` and `npm run dev`',
    doc: 'Production requires a database and strong secrets. Development starts its own PostgreSQL and makes its secrets.',
  }),
  listen: {
    port: setting('PORT', integer(0, 65_535), {
      default: 5000,
      doc: 'The one port of the application. 0 takes any free one.',
    }),
    hosts: setting('HOST', listenAddresses, {
      default: ({ environment, platform }) =>
        environment === 'production' || platform.replit || platform.container ? ['0.0.0.0'] : LOOPBACK,
      defaultText: '`127.0.0.1,::1` in development outside Replit and containers, else `0.0.0.0`',
      doc: 'The addresses to listen on. `HOSTNAME` is never read, because containers set it to their own name.',
    }),
  },
  publicUrl: setting('PUBLIC_URL', origin, {
    doc: 'The address that visitors use, such as `https://app.example.com`, for links that leave the server.',
  }),
  allowedHosts: setting('ALLOWED_HOSTS', hostNames, {
    default: [],
    defaultText: 'any host in production; the loopback names in development',
    doc: "Requests with any other `Host` are refused, except probes. `PUBLIC_URL`'s host is always allowed; in development also the loopback names and a Replit workspace's `REPLIT_DEV_DOMAIN`.",
  }),
});

/** libpq's, and node-postgres's `no-verify`: TLS without verification, even if an authority is given. */
export const SSL_MODES = [
  'disable',
  'allow',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
  'no-verify',
] as const;

const autoOrBoolean: Parser<'auto' | boolean> = {
  kind: '`auto`, `true` or `false`',
  parse: (value, ...more) => (/^auto$/i.test(value) ? 'auto' : boolean.parse(value, ...more)),
};

/** The database's address; `config/database.ts` makes connections of it. */
export const databaseAddress = inGroup('Database', {
  url: setting('DATABASE_URL', text('`postgres://user:password@host:5432/database`'), {
    secret: 'url',
    defaultText:
      'a PostgreSQL that `npm start` and `npm run dev` start in development; required in production',
    doc: 'The database. What the address leaves out is taken from the `PG…` variables, as libpq does.',
  }),
  directUrl: setting('DATABASE_DIRECT_URL', text('as `DATABASE_URL`'), {
    secret: 'url',
    aliases: ['DIRECT_URL', 'DATABASE_URL_UNPOOLED'],
    doc: 'The same database past a transaction pooler. Migrations use it, because they hold a lock for a whole session, and so does the connection that listens for notifications.',
  }),
  ca: setting('DATABASE_CA', text('PEM text, or the path of a PEM file'), {
    aliases: ['DATABASE_CA_CERT'],
    doc: "The certificate authority of the database's certificate, if it is not a public one. Turns verification on.",
  }),
  host: setting('PGHOST', text('a host name, an address, or the folder of a socket'), {
    doc: 'The host, if `DATABASE_URL` is unset or has none. Likewise every `PG…` variable below.',
  }),
  port: setting('PGPORT', integer(1, 65_535), { defaultText: '`5432`', doc: "The database's port." }),
  user: setting('PGUSER', text('a role'), {
    defaultText: "the system's user",
    doc: 'The role to connect as.',
  }),
  password: setting('PGPASSWORD', text('a password'), { secret: 'value', doc: "The role's password." }),
  database: setting('PGDATABASE', text('a name'), {
    defaultText: "the role's name",
    doc: 'The database to use.',
  }),
  sslMode: setting('PGSSLMODE', choice(...SSL_MODES), {
    defaultText: '`verify-full` in production for hosts that are neither loopback nor private, else `prefer`',
    doc: 'As `sslmode` in `DATABASE_URL`; see *TLS to the database*.',
  }),
  sslRootCert: setting('PGSSLROOTCERT', text('a path, or `system`'), {
    doc: 'As `sslrootcert` in `DATABASE_URL`.',
  }),
  sslCert: setting('PGSSLCERT', text('a path'), {
    doc: 'A client certificate, as `sslcert` in `DATABASE_URL`.',
  }),
  sslKey: setting('PGSSLKEY', text('a path'), { doc: 'Its private key, as `sslkey` in `DATABASE_URL`.' }),
});

export const database = inGroup('Database', {
  poolSize: setting('DB_POOL_SIZE', integer(1, 1000), {
    default: 20,
    aliases: ['DATABASE_POOL_SIZE', 'DB_POOL_MAX'],
    doc: "The most connections of one process. Times the number of processes it must stay below the database's own limit.",
  }),
  idleTimeoutMs: setting('DB_IDLE_TIMEOUT_MS', milliseconds(), {
    default: 10_000,
    doc: 'An unused connection is closed after this time, so that a managed database can sleep.',
  }),
  connectTimeoutMs: setting('DB_CONNECT_TIMEOUT_MS', milliseconds(), {
    default: 8000,
    doc: 'How long one attempt to connect may take. A sleeping managed database needs some seconds to wake.',
  }),
  statementTimeoutMs: setting('DB_STATEMENT_TIMEOUT_MS', milliseconds(), {
    default: 30_000,
    doc: 'How long one statement may run. Migrations are exempt.',
  }),
  preparedStatements: setting('DB_PREPARED_STATEMENTS', autoOrBoolean, {
    default: 'auto',
    doc: 'Prepare frequent queries once and run them by name. `auto`: except behind a transaction pooler.',
  }),
  migrateOnStart: setting('MIGRATE_ON_START', boolean, {
    default: true,
    doc: 'Apply pending migrations at start. With `false` pending ones keep `/ready` at 503 until `npm run db:migrate` has run.',
  }),
});

const lifecycle = inGroup('Start-up and shutdown', {
  startupHoldMs: setting('STARTUP_HOLD_MS', milliseconds(0, 120_000), {
    default: 10_000,
    doc: 'How long an API request is held during start-up before it is answered 503. 0 holds none.',
  }),
  shutdown: {
    drainDelayMs: setting('DRAIN_DELAY_MS', milliseconds(0), {
      default: ({ platform }) => (platform.kubernetes ? 5000 : 0),
      defaultText: '`5000` under Kubernetes, else `0`',
      doc: 'After a stop signal, keep serving for this time, until load balancers notice.',
    }),
    timeoutMs: setting('SHUTDOWN_TIMEOUT_MS', milliseconds(), {
      default: ({ platform }) => (platform.kubernetes ? 25_000 : 8000),
      defaultText: '`25000` (25 s) under Kubernetes, else `8000` (8 s)',
      doc: 'From the stop signal to a forced exit. Keep it below the time after which the platform kills.',
    }),
  },
});

/** The share of memory for all request bodies, and again for all headers. */
const anEighthOfMemory = () => Math.floor((memoryLimit() ?? Number.POSITIVE_INFINITY) / 8);

/** Node's limit for the headers of one request. */
const HEADER_BYTES = 16 * 1024;

const requests = inGroup('Requests', {
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
      doc: 'API requests that one client (an address, or a user who is signed in) may send in a window. Writes: a fifth of it. Operators, and one address with many users: ten times as many.',
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

const operators = inGroup('Secrets', {
  /** The first signs; empty: browser sign-in is off. */
  sessionSecrets: setting('SESSION_SECRET', secrets(SESSION_SECRET_RULE), {
    default: [],
    defaultText: 'made once in development; else unset: browser sign-in is off',
    madeInDevelopment: true,
    doc: 'Signs the cookies of browser sign-in. Of several the first signs and all are accepted, so that it can be rotated.',
  }),
  /** Empty: the operations pages and APIs are closed. */
  internalApiKeys: setting('INTERNAL_API_KEY', secrets(INTERNAL_API_KEY_RULE), {
    default: [],
    defaultText: 'made once in development; else unset: the operations pages and APIs are closed',
    madeInDevelopment: true,
    doc: 'Opens the operations pages and APIs. All of several are accepted, so that it can be rotated.',
  }),
  /** The first writes; empty: what must be encrypted is off. */
  encryptionKeys: setting('ENCRYPTION_KEY', secrets(), {
    default: [],
    defaultText: 'made once in development; else unset: what must be encrypted is off',
    madeInDevelopment: true,
    doc: 'Encrypts columns of the database. Of several the first writes and all read, so that it can be rotated. Keep a copy apart from the database: without it those columns cannot be read.',
  }),
  allowHttpSignIn: setting('ALLOW_HTTP_SIGN_IN', boolean, {
    default: false,
    doc: 'Let operators sign in over plain HTTP in production, where their key can be read in transit. Always allowed on loopback.',
  }),
});

const observation = inGroup('Metrics and logs', {
  metrics: {
    enabled: setting('ENABLE_METRICS', boolean, {
      default: true,
      aliases: ['METRICS_ENABLED'],
      doc: 'Collect metrics, and answer `/metrics`.',
    }),
    port: setting('METRICS_PORT', integer(1, 65_535), {
      doc: 'A port of its own for `/metrics` and the probes alone. It needs no key and must not be public.',
    }),
    hosts: setting('METRICS_HOST', listenAddresses, {
      defaultText: 'as `HOST` in containers, else `127.0.0.1,::1`',
      doc: 'The addresses of `METRICS_PORT`: those of the network that scrapers come from.',
    }),
  },
  log: {
    level: setting('LOG_LEVEL', choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'), {
      default: 'info',
      doc: 'The lowest level that is written; case is ignored.',
    }),
    file: setting('LOG_FILE', path, {
      doc: "Also write the log to this file, rotated as `NAME.1`, `NAME.2`, … Only the server's own account can read it.",
    }),
    fileMaxBytes: setting('LOG_FILE_MAX_BYTES', bytes(1024, 1024 * GIB), {
      default: 100 * MIB,
      doc: 'A larger log file is rotated.',
    }),
    fileCount: setting('LOG_FILE_COUNT', integer(1, 1000), {
      default: 10,
      doc: 'How many rotated log files are kept.',
    }),
  },
  diagnosticsDir: setting('DIAGNOSTICS_DIR', path, {
    default: ({ folder }) => resolve(folder, process.report.directory || tmpdir()),
    defaultText: "the folder of Node's `--report-directory`, else the one for temporary files",
    doc: 'The folder for heap reports: at SIGUSR2, and when memory runs out. It is created if its parent exists.',
  }),
});

const KEYS = {
  concurrency: integer(1, 10_000),
  queue: integer(0, 100_000),
  retries: integer(0, 10),
  timeoutMs: milliseconds(),
};

/** @returns Each as `SERVICE.LIMIT=NUMBER`. */
const parseLimits = (list: string): string[] =>
  items(list).map((item) => {
    const [, key = '', value = ''] = /^[\w-]+\.(\w+)=(\d+)$/.exec(item) ?? [];
    if (!Object.hasOwn(KEYS, key)) {
      const known = Object.keys(KEYS).join(', ');
      throw new Refusal(
        `'${item}' is no limit of a service`,
        `Write SERVICE.LIMIT=NUMBER, as payments.retries=0; a limit is one of ${known}.`,
      );
    }
    KEYS[key as keyof typeof KEYS].parse(value, undefined as never, item);
    return item;
  });

export const dependencies = inGroup('Calls to other services', {
  dependencies: {
    concurrency: setting('DEPENDENCY_CONCURRENCY', KEYS.concurrency, {
      default: 20,
      doc: 'Calls to one service that this process has under way at once.',
    }),
    queue: setting('DEPENDENCY_QUEUE', KEYS.queue, {
      default: 100,
      doc: 'Calls to one service that wait for one of those to end; more are refused.',
    }),
    retries: setting('DEPENDENCY_RETRIES', KEYS.retries, {
      default: 2,
      doc: 'Attempts after a first that failed. They add 10 % of calls at most, so that a service that fails is not called more.',
    }),
    timeoutMs: setting('DEPENDENCY_TIMEOUT_MS', KEYS.timeoutMs, {
      default: 10_000,
      doc: 'How long one attempt may take, where the call says nothing else.',
    }),
    limits: setting(
      'DEPENDENCY_LIMITS',
      { kind: '`SERVICE.LIMIT=NUMBER`, comma-separated', parse: parseLimits },
      {
        default: [],
        defaultText: 'the four above for every service',
        doc: 'Limits of single services, such as `payments.concurrency=5,payments.retries=0`; also `queue` and `timeoutMs`.',
      },
    ),
  },
});

export const platformSettings = {
  ...basics,
  databaseAddress,
  database,
  ...lifecycle,
  ...requests,
  ...operators,
  ...observation,
  ...dependencies,
};

import { tmpdir } from 'node:os';
import { memoryLimit } from '../lib/memory.ts';
import { secrets } from './secrets.ts';
import {
  boolean,
  type Context,
  choice,
  HSTS_DEFAULT,
  integer,
  LOOPBACK,
  MIB,
  milliseconds,
  PRIVATE_RANGES,
  parseAllowedHosts,
  parseCorsOrigins,
  parseHosts,
  parseHsts,
  parseOrigin,
  parseRate,
  parseRedisUrl,
  parseTrustProxy,
  SSL_MODES,
  text,
} from './values.ts';

/**
 * The table of settings: one entry for each environment variable, and everything that is known about it. The reader
 * (config.ts), the documentation and `.env.example` are all made from it, so a setting is added here and nowhere else.
 */

export interface Setting<T = unknown> {
  group: Group;
  /** One or two sentences for the documentation. */
  doc: string;
  /** What a value may be, in words. */
  kind: string;
  parse(text: string, context: Context): T;
  /** What a number counts. */
  unit?: 'ms' | 'bytes' | undefined;
  /** The value where nothing is set; `undefined` where it is absent. */
  default?: T | ((context: Context) => T | undefined);
  /** The default in words, where it is computed or is not this server's. */
  defaultText?: string;
  /** `value`: never shown at all. `url`: shown without its credentials. Both are also read from `NAME_FILE`. */
  secret?: 'value' | 'url';
  /** Exact synonyms that other guides use. */
  aliases?: readonly string[];
  /**
   * Variables of other guides that hold this setting in another form, each with what it would be here. What cannot be
   * rewritten throws a `Refusal`.
   */
  rewritten?: Readonly<Record<string, (text: string) => string>>;
}

export type Group = (typeof GROUPS)[number];
export const GROUPS = [
  'Basics',
  'Database',
  'Start-up and shutdown',
  'Requests',
  'Secrets',
  'Metrics and logs',
] as const;

export const SETTINGS = {
  NODE_ENV: {
    group: 'Basics',
    ...choice('production', 'development', 'test'),
    default: 'production',
    defaultText: '`production`; `development` under `npm start` and `npm run dev`',
    doc: 'Production demands a database and strong secrets. Development starts a PostgreSQL of its own and makes its secrets.',
  },
  PORT: {
    group: 'Basics',
    ...integer(0, 65_535),
    default: 5000,
    doc: 'The one port of the application. 0 takes any free one.',
  },
  HOST: {
    group: 'Basics',
    kind: 'addresses, comma-separated',
    parse: parseHosts,
    default: ({ environment, platform }) =>
      environment === 'production' || platform.replit || platform.container ? ['0.0.0.0'] : LOOPBACK,
    defaultText: '`127.0.0.1,::1` in development outside Replit and containers, else `0.0.0.0`',
    doc: 'The addresses to listen on. `HOSTNAME` is never read: containers set it to their own name.',
  },
  PUBLIC_URL: {
    group: 'Basics',
    kind: 'an origin',
    parse: parseOrigin,
    doc: 'The address that visitors use, such as `https://app.example.com`, for links that leave the server.',
  },
  ALLOWED_HOSTS: {
    group: 'Basics',
    kind: 'host names, comma-separated; `*.` stands for any subdomain',
    parse: parseAllowedHosts,
    defaultText: 'any host in production; the loopback names in development',
    doc: "Requests under any other `Host` are refused, probes excepted. `PUBLIC_URL`'s host is always among them; in development also the loopback names and a Replit workspace's `REPLIT_DEV_DOMAIN`.",
  },

  DATABASE_URL: {
    group: 'Database',
    ...text('`postgres://user:password@host:5432/database`'),
    secret: 'url',
    defaultText: 'an embedded PostgreSQL in development; demanded in production',
    doc: 'The database. What the address leaves out is taken from the `PG…` variables, as libpq does.',
  },
  DATABASE_DIRECT_URL: {
    group: 'Database',
    ...text('as `DATABASE_URL`'),
    secret: 'url',
    aliases: ['DIRECT_URL', 'DATABASE_URL_UNPOOLED'],
    doc: 'The same database past a transaction pooler. Migrations use it, because they hold a lock for a whole session.',
  },
  DATABASE_CA: {
    group: 'Database',
    ...text('PEM text, or the path of a PEM file'),
    aliases: ['DATABASE_CA_CERT'],
    doc: "The certificate authority that signs the database's certificate, where it is not a public one. Turns verification on.",
  },
  PGHOST: {
    group: 'Database',
    ...text('a host name, an address, or the folder of a socket'),
    doc: 'The host, where `DATABASE_URL` is unset or leaves it out. So with every `PG…` variable below.',
  },
  PGPORT: { group: 'Database', ...integer(1, 65_535), defaultText: '`5432`', doc: "The database's port." },
  PGUSER: {
    group: 'Database',
    ...text('a role'),
    defaultText: "the system's user",
    doc: 'The role to connect as.',
  },
  PGPASSWORD: { group: 'Database', ...text('a password'), secret: 'value', doc: "The role's password." },
  PGDATABASE: {
    group: 'Database',
    ...text('a name'),
    defaultText: "the role's name",
    doc: 'The database to use.',
  },
  PGSSLMODE: {
    group: 'Database',
    ...choice(...SSL_MODES),
    defaultText: '`verify-full` in production for hosts that are neither loopback nor private, else `prefer`',
    doc: 'As `sslmode` in `DATABASE_URL`; see *TLS to the database*.',
  },
  PGSSLROOTCERT: {
    group: 'Database',
    ...text('a path, or `system`'),
    doc: 'As `sslrootcert` in `DATABASE_URL`.',
  },
  PGSSLCERT: {
    group: 'Database',
    ...text('a path'),
    doc: 'A client certificate, as `sslcert` in `DATABASE_URL`.',
  },
  PGSSLKEY: { group: 'Database', ...text('a path'), doc: 'Its private key, as `sslkey` in `DATABASE_URL`.' },
  DB_POOL_SIZE: {
    group: 'Database',
    ...integer(1, 1000),
    default: 20,
    aliases: ['DATABASE_POOL_SIZE', 'DB_POOL_MAX'],
    doc: "Connections that one process opens at most. Times `MAX_INSTANCES` it must stay under the database's own limit.",
  },
  DB_IDLE_TIMEOUT_MS: {
    group: 'Database',
    ...milliseconds(),
    default: 10_000,
    doc: 'An unused connection is closed after this time, so that a managed database can sleep.',
  },
  DB_CONNECT_TIMEOUT_MS: {
    group: 'Database',
    ...milliseconds(),
    default: 8000,
    doc: 'How long one attempt to connect may take. A sleeping managed database needs some seconds to wake.',
  },
  DB_STATEMENT_TIMEOUT_MS: {
    group: 'Database',
    ...milliseconds(),
    default: 30_000,
    doc: 'How long one statement may run. Migrations are exempt.',
  },
  DB_PREPARED_STATEMENTS: {
    group: 'Database',
    kind: '`auto`, `true` or `false`',
    parse: (value: string) => (/^auto$/i.test(value) ? 'auto' : boolean.parse(value)),
    default: 'auto',
    doc: 'Prepare hot queries once and run them by name. `auto` does not behind a transaction pooler, and says so.',
  },
  MIGRATE_ON_START: {
    group: 'Database',
    ...boolean,
    default: true,
    doc: 'Apply pending migrations at start. With `false` pending ones keep `/ready` at 503 until `npm run db:migrate` has run.',
  },
  MIGRATE_ADOPT: {
    group: 'Database',
    ...choice('record', 'run'),
    defaultText: 'stop with exit code 70 and ask',
    doc: 'For one start over tables that hold rows and have no journal of migrations: `record` pending changes of rows as done, or `run` them.',
  },
  MAX_INSTANCES: {
    group: 'Database',
    ...integer(1, 10_000),
    default: 10,
    doc: 'How many processes may run at once: for the arithmetic of connections against what the database allows.',
  },

  STARTUP_HOLD_MS: {
    group: 'Start-up and shutdown',
    ...milliseconds(0, 120_000),
    default: 10_000,
    doc: 'How long an API request that arrives during start-up is held before it is answered 503. 0 holds none.',
  },
  DRAIN_DELAY_MS: {
    group: 'Start-up and shutdown',
    ...milliseconds(0),
    default: ({ platform }) => (platform.kubernetes ? 5000 : 0),
    defaultText: '`5000` under Kubernetes, else `0`',
    doc: 'After a signal to stop, keep serving for this time while load balancers learn of it.',
  },
  SHUTDOWN_TIMEOUT_MS: {
    group: 'Start-up and shutdown',
    ...milliseconds(),
    default: ({ platform }) => (platform.kubernetes ? 25_000 : 8000),
    defaultText: '`25000` (25 s) under Kubernetes, else `8000` (8 s)',
    doc: 'From the signal to stop to a forced end. Keep it below the time after which the platform kills.',
  },

  TRUST_PROXY: {
    group: 'Requests',
    kind: `ranges, comma-separated, or the named sets \`${PRIVATE_RANGES.join('`, `')}\`; \`false\``,
    parse: parseTrustProxy,
    default: ({ platform }) => (platform.replit ? PRIVATE_RANGES : false),
    defaultText: 'none; the private ranges on Replit, whose proxy is the only way in',
    doc: 'The addresses whose `X-Forwarded-*` headers are believed. A number of hops is refused: it believes whoever connects.',
  },
  CORS_ORIGINS: {
    group: 'Requests',
    kind: 'exact origins, comma-separated',
    parse: parseCorsOrigins,
    defaultText: 'the same origin only',
    aliases: ['CORS_ORIGIN', 'CORS_ALLOWED_ORIGINS', 'ALLOWED_ORIGINS'],
    doc: 'Other origins whose pages may call the API.',
  },
  RATE_LIMIT_MAX: {
    group: 'Requests',
    ...integer(1, 1_000_000_000),
    default: 300,
    aliases: ['RATE_LIMIT_MAX_REQUESTS'],
    rewritten: { API_RATE_LIMIT: (rate: string) => String(parseRate(rate).max) },
    doc: 'Requests to the API that one client may make in a window; writes get a fifth of it, operators ten times as many.',
  },
  RATE_LIMIT_WINDOW_MS: {
    group: 'Requests',
    ...milliseconds(1, 86_400_000),
    default: 60_000,
    rewritten: { API_RATE_LIMIT: (rate: string) => String(parseRate(rate).windowMs) },
    doc: 'How long such a window is.',
  },
  RATE_LIMIT_STORE: {
    group: 'Requests',
    ...choice('memory', 'postgres', 'redis'),
    default: 'memory',
    doc: 'Where it is counted: in each process for itself, or shared by all of them.',
  },
  REDIS_URL: {
    group: 'Requests',
    kind: '`redis://…` or `rediss://…`',
    parse: parseRedisUrl,
    secret: 'url',
    doc: 'Needed by `RATE_LIMIT_STORE=redis`, and used by nothing else.',
  },
  BODY_LIMIT_BYTES: {
    group: 'Requests',
    ...integer(1, 1024 * MIB, 'bytes'),
    default: 128 * 1024,
    doc: 'A longer request body is answered 413, unless its route takes more (`bodyLimit`).',
  },
  BODY_MEMORY_BYTES: {
    group: 'Requests',
    ...integer(1, 1024 * 1024 * MIB, 'bytes'),
    default: () => Math.min(32 * MIB, Math.floor((memoryLimit() ?? Number.POSITIVE_INFINITY) / 8)),
    defaultText: '`33554432` (32 MiB), or an eighth of the memory limit where that is less',
    doc: 'What all request bodies under way may hold together. Beyond it requests with a body are answered 503.',
  },
  REQUEST_TIMEOUT_MS: {
    group: 'Requests',
    ...milliseconds(),
    default: 30_000,
    doc: 'How long a handler may take to begin its answer, once the request has arrived; streams that have begun are exempt.',
  },
  KEEP_ALIVE_TIMEOUT_MS: {
    group: 'Requests',
    ...milliseconds(),
    default: 65_000,
    doc: "How long an idle connection is kept. It must be longer than the load balancer's, which is 60 s with most.",
  },
  HTTP_MAX_CONNECTIONS: {
    group: 'Requests',
    ...integer(1, 10_000_000),
    // Each may hold 16 KiB of headers; together they get an eighth of the memory.
    default: () =>
      Math.min(10_000, Math.floor((memoryLimit() ?? Number.POSITIVE_INFINITY) / 8 / (16 * 1024))),
    defaultText: '`10000`; less where the memory limit is below 1.3 GB: 2048 for 256 MiB',
    doc: 'Connections of visitors that are open at once, not those to the database (`DB_POOL_SIZE`).',
  },
  HSTS: {
    group: 'Requests',
    kind: 'a `Strict-Transport-Security` header, or `false`',
    parse: parseHsts,
    default: ({ environment }) => (environment === 'production' ? HSTS_DEFAULT : false),
    defaultText: `\`${HSTS_DEFAULT}\` in production over TLS`,
    doc: 'Tells browsers to come by TLS only. Add `; includeSubDomains; preload` by choice alone: it binds a whole domain.',
  },

  SESSION_SECRET: {
    group: 'Secrets',
    kind: '32 characters or more; several, comma-separated',
    parse: secrets('SESSION_SECRET', { leastCharacters: 32, leastBits: 64 }),
    secret: 'value',
    defaultText: 'made once in development; else unset: browser sign-in is off',
    doc: 'Signs the cookies of browser sign-in. Of several the first signs and all are accepted, so that it can be rotated.',
  },
  INTERNAL_API_KEY: {
    group: 'Secrets',
    kind: '256 bits or more (43 characters of base64url, 64 of hexadecimal); several, comma-separated',
    parse: secrets('INTERNAL_API_KEY', { leastCharacters: 43, leastHexadecimal: 64, leastBits: 128 }),
    secret: 'value',
    defaultText: "made once in development; else unset: the operators' doors are closed",
    doc: 'Opens what only operators may see. All of several are accepted, so that it can be rotated.',
  },
  ALLOW_HTTP_SIGN_IN: {
    group: 'Secrets',
    ...boolean,
    default: false,
    doc: 'Let operators sign in over plain HTTP in production, where their key can be read on the way. Loopback always may.',
  },

  ENABLE_METRICS: {
    group: 'Metrics and logs',
    ...boolean,
    default: true,
    aliases: ['METRICS_ENABLED'],
    doc: 'Measure, and answer `/metrics`.',
  },
  METRICS_PORT: {
    group: 'Metrics and logs',
    ...integer(1, 65_535),
    doc: 'Answer `/metrics` and the probes, and nothing else, on a port of their own that needs no key and must not be public.',
  },
  METRICS_HOST: {
    group: 'Metrics and logs',
    kind: 'addresses, comma-separated',
    parse: parseHosts,
    defaultText: 'as `HOST` in containers, else `127.0.0.1,::1`',
    doc: 'The addresses of `METRICS_PORT`: those of the network that scrapers come from.',
  },
  LOG_LEVEL: {
    group: 'Metrics and logs',
    ...choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    default: 'info',
    doc: 'The least severe lines that are written; case is ignored.',
  },
  LOG_FILE: {
    group: 'Metrics and logs',
    ...text('a path'),
    doc: "Write the log to this file as well, rotated. It is readable for the server's own account alone.",
  },
  LOG_FILE_MAX_BYTES: {
    group: 'Metrics and logs',
    ...integer(1024, 1024 * 1024 * MIB, 'bytes'),
    default: 100 * MIB,
    doc: 'A larger log file is rotated.',
  },
  LOG_FILE_COUNT: {
    group: 'Metrics and logs',
    ...integer(1, 1000),
    default: 10,
    doc: 'Rotated log files that are kept.',
  },
  DIAGNOSTICS_DIR: {
    group: 'Metrics and logs',
    ...text('a path'),
    default: () => process.report.directory || tmpdir(),
    defaultText: "the folder of Node's `--report-directory`, else the one for temporary files",
    doc: 'The folder for reports of the heap: by a signal, and when memory runs out. It is made in a folder that is there.',
  },
} satisfies Record<string, Setting<never> | Setting>;

export type Name = keyof typeof SETTINGS;

type ValueOf<S> = S extends { parse(text: string, context: Context): infer T }
  ? S extends { default: NonNullable<unknown> }
    ? T
    : T | undefined
  : never;

/** The value of every setting, typed by its parser; `undefined` where it has neither value nor default. */
export type Values = { [N in Name]: ValueOf<(typeof SETTINGS)[N]> };

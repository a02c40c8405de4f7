import { describe, expect, test } from 'vitest';
import { type Env, errorOf, load, production, refused as refusedBy } from '../../../tests/support/config.ts';
import { LOOK_ALIKES, lookAlikesBeside } from './hints.ts';
import { settingsOf } from './setting.ts';
import { platformSettings } from './settings.ts';

const SETTINGS = settingsOf(platformSettings);
const NAMES = SETTINGS.map(({ env }) => env);

const said = (env: Env) => production(env).warnings;
const refused = (env: Env) => refusedBy(() => production(env));

/** Long, so that it is found wherever it would be repeated. */
const VALUE = 'a-value-that-nobody-may-see';

/** What guides to production call required or optional: each is read, or hinted at. */
const GUIDES = `
  SECRET_KEY JWT_SECRET JWT_SECRET_KEY COOKIE_SECRET ENCRYPTION_KEY FIELD_ENCRYPTION_KEY ENABLE_CSRF
  AUTH_SECRET NEXTAUTH_SECRET NEXTAUTH_URL BETTER_AUTH_SECRET BETTER_AUTH_URL CLERK_SECRET_KEY CLERK_PUBLISHABLE_KEY
  MAX_CONNECTIONS API_RATE_LIMIT RATE_LIMIT_MAX_REQUESTS DATABASE_POOL_SIZE CORS_ORIGIN RATE_LIMIT_WINDOW SHUTDOWN_TIMEOUT BASE_DOMAIN
  DATABASE_SSL DB_SSL DATABASE_MAX_OVERFLOW DATABASE_POOL_TIMEOUT DATABASE_POOL_RECYCLE
  REDIS_TTL CACHE_TTL REDIS_POOL_SIZE REDIS_MAX_CONNECTIONS
  SENTRY_DSN DATADOG_API_KEY
  ENABLE_AGENTS ENABLE_WEBSOCKETS ENABLE_FILE_UPLOADS RALPH_MAX_ITERATIONS RALPH_ENABLED
  OPENAI_API_KEY OPENAI_ORG_ID ANTHROPIC_API_KEY GEMINI_API_KEY GOOGLE_API_KEY GOOGLE_CLOUD_PROJECT
  GOOGLE_APPLICATION_CREDENTIALS MISTRAL_API_KEY ELEVENLABS_API_KEY COHERE_API_KEY GROQ_API_KEY DEEPSEEK_API_KEY
  XAI_API_KEY PERPLEXITY_API_KEY OPENROUTER_API_KEY TOGETHER_API_KEY HUGGINGFACE_API_KEY REPLICATE_API_TOKEN
  STABILITY_API_KEY DEEPGRAM_API_KEY AZURE_OPENAI_API_KEY AZURE_OPENAI_ENDPOINT PINECONE_API_KEY
  OPENAI_API_KEY_SECRET SENDGRID_API_KEY_SECRET
  MAILGUN_API_KEY MAILGUN_DOMAIN SENDGRID_API_KEY SENDGRID_FROM_EMAIL RESEND_API_KEY POSTMARK_API_TOKEN SMTP_HOST
  SMTP_PORT SMTP_USER SMTP_PASSWORD TWILIO_ACCOUNT_SID TWILIO_AUTH_TOKEN
  STRIPE_SECRET_KEY STRIPE_PUBLISHABLE_KEY STRIPE_WEBHOOK_SECRET
  AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY S3_BUCKET
`
  .trim()
  .split(/\s+/);

/** Settings, and their names in guides. */
const READ = new Set(
  SETTINGS.flatMap(({ env, aliases = [], rewritten = {} }) => [env, ...aliases, ...Object.keys(rewritten)]),
);

describe('a variable that guides to production name', () => {
  test.each(GUIDES.filter((name) => !READ.has(name)))('%s gets one line, without its value', (name) => {
    for (const variable of [name, `${name}_FILE`]) {
      const hints = said({ [variable]: VALUE });
      expect(hints).toEqual([expect.stringMatching(new RegExp(`^${variable} is not read`))]);
      expect(hints.join()).not.toContain(VALUE);
    }
  });

  test('is no setting of the platform, nor named by a pattern that one fits', () => {
    const platforms = Object.entries(LOOK_ALIKES).filter(([, { beside }]) => beside === undefined);
    expect(lookAlikesBeside(SETTINGS)).toEqual(platforms);
  });

  test('is named by its pattern, and not by what merely contains it', () => {
    expect(
      said({
        MY_STRIPE_KEY: 'x',
        STRIPE: 'x',
        API_KEY: 'x',
        MY_API_KEY: 'x',
        constructor: 'x',
        AWS_REGION: 'x',
      }),
    ).toEqual([]);
  });
});

test('MAX_CONNECTIONS, which means the pool in one guide and visitors in another, limits neither', () => {
  for (const value of ['20', '5000']) {
    const { config, warnings } = production({ MAX_CONNECTIONS: value });
    expect(config.http.maxConnections).toBe(10_000);
    expect(config.database.poolSize).toBe(20);
    expect(warnings).toEqual([expect.stringMatching(/is not read.*DB_POOL_SIZE.*HTTP_MAX_CONNECTIONS/)]);
  }
  expect(production({ HTTP_MAX_CONNECTIONS: '500' }).config.http.maxConnections).toBe(500);
});

describe('API_RATE_LIMIT', () => {
  test.each([
    ['100/minute', 100, 60_000],
    ['100/min', 100, 60_000],
    ['100/m', 100, 60_000],
    ['100 per minute', 100, 60_000],
    ['100 requests per minute', 100, 60_000],
    ['100 / 15 minutes', 100, 900_000],
    ['100/15m', 100, 900_000],
    ['100 per 15 min', 100, 900_000],
    ['100/second', 100, 1_000],
    ['5/s', 5, 1_000],
    ['1000/Hour', 1_000, 3_600_000],
    ['10000/day', 10_000, 86_400_000],
  ])('%s is %i requests in %i ms', (text, max, windowMs) => {
    const { config, settings, warnings } = production({ API_RATE_LIMIT: text });
    expect(config.rateLimit).toMatchObject({ max, windowMs });
    expect(warnings).toEqual(['API_RATE_LIMIT is read as RATE_LIMIT_MAX and RATE_LIMIT_WINDOW_MS.']);
    expect(settings.find(({ name }) => name === 'RATE_LIMIT_MAX')).toMatchObject({
      name: 'RATE_LIMIT_MAX',
      value: String(max),
      origin: 'alias API_RATE_LIMIT',
    });
  });

  test.each([
    '100',
    'minute',
    '100/',
    '/minute',
    '100/fortnight',
    '-1/minute',
    '1.5/minute',
    '0/minute',
    '9/0s',
    '1/2days',
  ])('%s is one error', (text) => {
    expect(refused({ API_RATE_LIMIT: text })).toEqual([
      expect.stringMatching(/^API_RATE_LIMIT .*→ Write it like 100\/minute/),
    ]);
  });

  test('beside another value of the same setting is a mistake; beside the same it is not', () => {
    expect(refused({ API_RATE_LIMIT: '100/minute', RATE_LIMIT_MAX: '300' })).toEqual([
      expect.stringMatching(/^RATE_LIMIT_MAX has another value than API_RATE_LIMIT/),
    ]);
    const same = production({ API_RATE_LIMIT: '100/minute', RATE_LIMIT_MAX: '100' });
    expect(same.config.rateLimit.max).toBe(100);
  });
});

test('an unused REDIS_URL causes a warning without its password', () => {
  const url = `redis://:${VALUE}@cache:6379`;
  expect(said({ REDIS_URL: url })).toEqual([
    'REDIS_URL is set but unused, because RATE_LIMIT_STORE is memory. Set RATE_LIMIT_STORE=redis, or unset REDIS_URL.',
  ]);
  expect(said({ REDIS_URL: url, RATE_LIMIT_STORE: 'redis' })).toEqual([]);
});

describe('hints', () => {
  test.each(lookAlikesBeside(SETTINGS).map(([name]) => name))('%s gets a hint when it is set', (pattern) => {
    const name = pattern.replace('*', 'X');
    // Without a database, so that hints about one are given as well.
    const { message } = errorOf(() => load({ NODE_ENV: 'development', [name]: 'x' }));
    const [hint = ''] = new RegExp(`- ${name} is not read.*`).exec(message) ?? [];
    expect(hint).not.toBe('');
    for (const [meant] of hint.replace(name, '').matchAll(/\b[A-Z]+_[A-Z_]+\b|\bPG[A-Z]+\b/g)) {
      expect(NAMES).toContain(meant);
    }
  });

  test('hints about the database are for those who have none', () => {
    expect(said({ POSTGRES_URL: 'x', DB_HOST: 'x', DB_NAME: 'x' })).toEqual([]);
  });

  test.each([
    ['DATABSE_URL', 'DATABASE_URL'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['DATABASEURL', 'DATABASE_URL'],
    ['database_url', 'DATABASE_URL'],
    ['SESSION_SECRETS', 'SESSION_SECRET'],
    ['SESSION_SECERT_FILE', 'SESSION_SECRET_FILE'],
    ['INTERNAL_APIKEY', 'INTERNAL_API_KEY'],
    ['LOG_LEVL', 'LOG_LEVEL'],
    ['NODE_EVN', 'NODE_ENV'],
    ['TRUST_PROXIES', undefined],
    ['HTTP_MAX_CONNECTION', 'HTTP_MAX_CONNECTIONS'],
    ['SHUTDOWN_TIMEOUT_SM', 'SHUTDOWN_TIMEOUT_MS'],
  ])('%s is taken for %s', (variable, meant) => {
    expect(said({ [variable]: 'x' })).toEqual(
      meant ? [`${variable} is not read; did you mean ${meant}?`] : [],
    );
  });

  test('what systems, shells, orchestrators and tools set raises no alarm', () => {
    const names =
      `PATH HOME SHELL USER LOGNAME LANG LC_ALL TERM PWD OLDPWD SHLVL TMPDIR TEMP HOSTNAME HOSTTYPE DISPLAY EDITOR PAGER
      MAIL MANPATH TZ SSH_AUTH_SOCK SSH_CONNECTION XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS NODE_OPTIONS NODE_PATH
      NODE_VERSION NODE_EXTRA_CA_CERTS NODE_NO_WARNINGS NPM_CONFIG_CACHE npm_package_name npm_config_user_agent
      npm_lifecycle_event INIT_CWD CI GITHUB_ACTIONS HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy no_proxy COLORTERM
      FORCE_COLOR DEBUG VITE_PORT KUBERNETES_PORT KUBERNETES_SERVICE_PORT REDIS_PORT REDIS_HOST REDIS_SERVICE_HOST
      DB_PORT DB_SERVICE_HOST DB_PORT_5432_TCP DATABASE_PORT DATABASE_HOST DATABASE_DB DATABASE_NAME DATABASE_USER
      POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB PGDATA PGSSLCRL PGAPPNAME PGSERVICE PGPASSFILE METRICS_PATH
      LOG_DIR LOG_FORMAT LOG_FILES_DIR PUBLIC_DIR REPL_ID REPL_SLUG REPL_OWNER REPLIT_DOMAINS
      REPLIT_DB_URL REPLIT_DEV_DOMAIN SESSION_MANAGER SESSION_NAME DESKTOP_SESSION SYSTEMD_EXEC_PID INVOCATION_ID
      JOURNAL_STREAM MAX_WORKERS RATE_LIMIT HOSTS PORTS ENABLE_DOCS API_KEY MEMORY_LIMIT WEB_CONCURRENCY`.split(
        /\s+/,
      );
    expect(said(Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual([]);
  });
});

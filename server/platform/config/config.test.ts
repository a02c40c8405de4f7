import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Config, loadConfig, readListenAddress } from './config.ts';
import { isPrivateHost } from './database.ts';
import { LOOK_ALIKES } from './hints.ts';
import { ConfigError } from './problems.ts';
import { estimateBits, isPlaceholder, MAKE_SECRET } from './secrets.ts';
import { settingsOf } from './setting.ts';
import { platformSettings } from './settings.ts';

const SETTINGS = settingsOf(platformSettings);
const NAMES = SETTINGS.map(({ env }) => env);

type Env = Record<string, string>;

const LOCAL = 'postgres://app:pw@127.0.0.1/app';
const STRONG = 'pX3v9QmZ4Ld7Tn0Rk8Wy2HcFs6Ju1BgEaVo5iNzUqYt';
const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A file in the folder that the server runs in. */
function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return name;
}

const development = (env: Env = {}) => loadConfig({}, { NODE_ENV: 'development', ...env }, folder, false);
const production = (env: Env = {}) => loadConfig({}, { DATABASE_URL: LOCAL, ...env }, folder, false);

/** What `loadConfig` refuses, as `VARIABLE problem → remedy`. */
function refused(load: () => unknown): string[] {
  try {
    load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ variable, problem, remedy }) => `${variable} ${problem} → ${remedy}`);
  }
  throw new Error('nothing was refused');
}

describe('defaults', () => {
  test('production, with nothing but a database', () => {
    const { config, warnings } = production();
    // What a product adds is beside these.
    expect(config).toMatchObject({
      environment: 'production',
      platform: { replit: undefined, kubernetes: false, container: false },
      publicUrl: undefined,
      allowedHosts: [],
      listen: { hosts: ['0.0.0.0'], port: 5000, portGiven: false, hostGiven: false, mayMove: false },
      dataDir: join(folder, '.data'),
      database: {
        embedded: false,
        connection: {
          host: '127.0.0.1',
          port: 5432,
          user: 'app',
          password: 'pw',
          database: 'app',
          ssl: false,
        },
        direct: undefined,
        poolerHint: false,
        poolSize: 20,
        idleTimeoutMs: 10_000,
        connectTimeoutMs: 8000,
        statementTimeoutMs: 30_000,
        preparedStatements: 'auto',
        migrateOnStart: true,
        migrateAdopt: undefined,
      },
      startupHoldMs: 10_000,
      trustProxy: false,
      corsOrigins: [],
      rateLimit: { max: 300, windowMs: 60_000, store: 'memory' },
      redisUrl: undefined,
      http: {
        bodyLimitBytes: 131_072,
        bodyMemoryBytes: 33_554_432,
        requestTimeoutMs: 30_000,
        keepAliveTimeoutMs: 65_000,
        maxConnections: 10_000,
      },
      sessionSecrets: [],
      internalApiKeys: [],
      allowHttpSignIn: false,
      hsts: 'max-age=31536000',
      metrics: { enabled: true, port: undefined },
      log: { level: 'info', file: undefined, fileMaxBytes: 104_857_600, fileCount: 10 },
      diagnosticsDir: tmpdir(),
      shutdown: { drainDelayMs: 0, timeoutMs: 8000 },
    });
    expect(warnings).toEqual([]);
  });

  test('development differs in the database, the address, the secrets and HSTS', () => {
    const { config, warnings } = development();
    expect(config.database).toMatchObject({ embedded: true, connection: undefined });
    expect(config.listen).toMatchObject({ hosts: ['127.0.0.1', '::1'], port: 5000, mayMove: true });
    expect(config.sessionSecrets).toHaveLength(1);
    expect(config.internalApiKeys).toHaveLength(1);
    expect(config.hsts).toBe(false);
    expect(warnings).toEqual([]);
  });

  test.each([
    ['development', {}, false, '127.0.0.1,::1'],
    ['test', {}, false, '127.0.0.1,::1'],
    ['production', {}, false, '0.0.0.0'],
    ['development', {}, true, '0.0.0.0'],
    ['development', { REPL_ID: 'x' }, false, '0.0.0.0'],
    ['development', { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, false, '0.0.0.0'],
    ['development', { HOSTNAME: 'box', HOST: '' }, false, '127.0.0.1,::1'],
    ['production', { HOST: 'localhost' }, false, '127.0.0.1,::1'],
    ['production', { HOST: '[::]' }, false, '::'],
    ['production', { HOST: '10.0.0.5, 127.0.0.1' }, false, '10.0.0.5,127.0.0.1'],
  ])('%s with %j (container: %s) listens on %s', (NODE_ENV, env: Env, inContainer, hosts) => {
    expect(readListenAddress({ NODE_ENV, ...env }, folder, inContainer).hosts.join()).toBe(hosts);
  });

  test.each([
    ['production', {}, false, '127.0.0.1,::1'],
    ['production', { HOST: '10.0.0.5' }, false, '127.0.0.1,::1'],
    ['production', { METRICS_HOST: '10.0.0.6' }, false, '10.0.0.6'],
    ['production', {}, true, '0.0.0.0'],
    ['production', { container: 'podman' }, false, '0.0.0.0'],
    ['production', { HOST: '10.0.0.5' }, true, '10.0.0.5'],
    ['production', { METRICS_HOST: 'http://x' }, false, '127.0.0.1,::1'],
    ['development', { REPL_ID: 'x' }, false, '127.0.0.1,::1'],
  ])('%s with %j (container: %s) lets scrapers in on %s', (NODE_ENV, env: Env, inContainer, hosts) => {
    const { metrics } = readListenAddress({ NODE_ENV, METRICS_PORT: '9464', ...env }, folder, inContainer);
    expect(metrics).toEqual({ hosts: hosts.split(','), port: 9464 });
  });

  test('a taken port is exchanged in development alone, and never where a preview shows just one', () => {
    const mayMove = (env: Env) => readListenAddress(env, folder, false).mayMove;
    expect(mayMove({ NODE_ENV: 'development' })).toBe(true);
    expect(mayMove({ NODE_ENV: 'development', REPL_ID: 'x' })).toBe(false);
    expect(mayMove({ NODE_ENV: 'production' })).toBe(false);
  });

  test.each([
    [{}, 0, 8000],
    [{ KUBERNETES_SERVICE_HOST: '10.0.0.1' }, 5000, 25_000],
  ])('with %j a drain waits %i ms and ends within %i ms', (env: Env, drainDelayMs, timeoutMs) => {
    expect(production(env).config.shutdown).toEqual({ drainDelayMs, timeoutMs });
  });

  test.each([
    [{}, undefined, false],
    [{ REPL_ID: 'x' }, 'workspace', ['loopback', 'linklocal', 'uniquelocal']],
    [{ REPL_ID: 'x', REPLIT_DEPLOYMENT: '1' }, 'deployment', ['loopback', 'linklocal', 'uniquelocal']],
  ])('with %j the platform is %s', (env: Env, replit, trustProxy) => {
    const { config } = production(env);
    expect(config.platform.replit).toBe(replit);
    expect(config.trustProxy).toEqual(trustProxy);
  });
});

describe('readListenAddress', () => {
  test('takes the environment before .env, and an empty value as unset', () => {
    file('.env', 'PORT=3100\nHOST=::1\n');
    const given = { portGiven: true, hostGiven: true, mayMove: false };
    expect(readListenAddress({ PORT: '3200', HOST: ' ' }, folder)).toEqual({
      hosts: ['::1'],
      port: 3200,
      ...given,
    });
  });

  test('takes the port of .env.production in production only', () => {
    file('.env', 'PORT=3100');
    file('.env.production', 'PORT=3300');
    expect(readListenAddress({}, folder).port).toBe(3300);
    expect(readListenAddress({ NODE_ENV: 'development' }, folder).port).toBe(3100);
  });

  test('never throws: what is wrong is for loadConfig to tell', () => {
    const env = { PORT: 'http', HOST: 'http://x', NODE_ENV: 'staging', SESSION_SECRET: 'short' };
    expect(readListenAddress(env, folder, false)).toMatchObject({
      hosts: ['0.0.0.0'],
      port: 5000,
      portGiven: false,
    });
    expect(refused(() => loadConfig({}, env, folder, false)).map((line) => line.split(' ')[0])).toEqual([
      'NODE_ENV',
      'PORT',
      'HOST',
      'SESSION_SECRET',
      'DATABASE_URL',
    ]);
  });

  test('a port of 0 is a choice', () => {
    expect(readListenAddress({ PORT: '0' }, folder)).toMatchObject({ port: 0, portGiven: true });
  });
});

describe('values', () => {
  test.each<[string, string, unknown]>([
    ['PORT', '8080', 8080],
    ['PUBLIC_URL', 'https://App.Example.com:443/', 'https://app.example.com'],
    ['DB_PREPARED_STATEMENTS', 'AUTO', 'auto'],
    ['DB_PREPARED_STATEMENTS', 'off', 'false'],
    ['MIGRATE_ON_START', 'No', 'false'],
    ['ENABLE_METRICS', '0', 'false'],
    ['TRUST_PROXY', 'false', 'false'],
    ['TRUST_PROXY', 'Loopback, 10.0.0.0/8,fd00::/8, 192.0.2.7', 'loopback,10.0.0.0/8,fd00::/8,192.0.2.7'],
    [
      'CORS_ORIGINS',
      'https://a.example:443, http://localhost:3000/',
      'https://a.example,http://localhost:3000',
    ],
    ['RATE_LIMIT_STORE', 'Postgres', 'postgres'],
    ['LOG_LEVEL', 'WARN', 'warn'],
    ['HSTS', 'off', 'false'],
    ['HSTS', 'true', 'max-age=31536000'],
    ['HSTS', 'max-age=63072000; includeSubDomains; preload', 'max-age=63072000; includeSubDomains; preload'],
    ['ALLOWED_HOSTS', 'Example.com,*.example.com,[::1],EXAMPLE.com', 'example.com,*.example.com,::1'],
    ['STARTUP_HOLD_MS', '0', 0],
  ])('%s=%s is %s', (name, text, expected) => {
    const { settings, warnings } = production({ [name]: text });
    expect(settings.find((setting) => setting.name === name)).toMatchObject({
      name,
      value: String(expected),
      origin: 'environment',
    });
    expect(warnings).toEqual([]);
  });

  test.each([
    ['NODE_ENV', 'staging', /not one of production, development, test/],
    ['PORT', '70000', /out of range → Write a whole number, 0 to 65,535/],
    ['PORT', '-1', /not a plain whole number/],
    ['HOST', 'http://0.0.0.0', /the port has a setting of its own/],
    ['HOST', '0.0.0.0:5000', /the port has a setting of its own/],
    ['REQUEST_TIMEOUT_MS', '10s', /'10s' is not a plain whole number → Write 10000\./],
    ['RATE_LIMIT_WINDOW_MS', '1m', /→ Write 60000\./],
    ['RATE_LIMIT_WINDOW_MS', '1.5 minutes', /→ Write 90000\./],
    ['BODY_LIMIT_BYTES', '1mb', /→ Write 1048576\./],
    ['BODY_LIMIT_BYTES', '10,000', /→ Write 10000\./],
    ['LOG_FILE_MAX_BYTES', '10_000_000', /→ Write 10000000\./],
    ['DB_POOL_SIZE', '0', /0 is out of range/],
    ['DB_POOL_SIZE', 'many', /→ Write a whole number, 1 to 1,000/],
    ['SHUTDOWN_TIMEOUT_MS', '99h', /→ Write a whole number of milliseconds/],
    ['MIGRATE_ON_START', 'maybe', /neither true nor false/],
    ['RATE_LIMIT_STORE', 'memcached', /not one of memory, postgres, redis/],
    ['RATE_LIMIT_STORE', 'redis', /REDIS_URL is not set/],
    ['REDIS_URL', 'http://h', /redis:\/\/ or rediss:\/\//],
    ['METRICS_PORT', '5000', /is PORT/],
    ['METRICS_HOST', '0.0.0.0:9464', /not an address to listen on → .*the port has a setting of its own/],
    ['PUBLIC_URL', 'app.example.com', /does not start with https/],
    ['PUBLIC_URL', 'https://app.example.com/base', /→ Write https:\/\/app\.example\.com alone/],
    ['ALLOWED_HOSTS', 'https://example.com', /not a host name → Write names without scheme/],
    ['CORS_ORIGINS', '*', /any site.*the same origin is always allowed/],
    ['CORS_ORIGINS', 'https://*.example.com', /any site/],
    ['CORS_ORIGINS', 'null', /any site/],
    ['CORS_ORIGINS', 'https://a.example,b.example', /'b\.example' does not start with https/],
    ['TRUST_PROXY', '1', /counts proxies.*TRUST_PROXY=loopback,linklocal,uniquelocal/],
    ['TRUST_PROXY', '0.0.0.0/0', /trusts every address/],
    ['TRUST_PROXY', '::/0', /trusts every address/],
    ['TRUST_PROXY', '10.0.0.0/33', /neither an address, a range/],
    ['TRUST_PROXY', 'proxy.example', /neither an address, a range/],
    ['HSTS', '31536000', /not a Strict-Transport-Security header/],
    ['HSTS', 'max-age=300; preload', /includeSubDomains and a year/],
    ['LOG_LEVEL', 'loud', /not one of fatal, error/],
  ])('%s=%s is refused', (name, text, expected) => {
    const problems = refused(() => production({ [name]: text }));
    expect(problems).toEqual([expect.stringMatching(expected)]);
    expect(problems[0]).toMatch(new RegExp(`^${name} `));
  });

  test('TRUST_PROXY=true is read as the private ranges, with a warning', () => {
    const { config, warnings } = production({ TRUST_PROXY: 'true' });
    expect(config.trustProxy).toEqual(['loopback', 'linklocal', 'uniquelocal']);
    expect(warnings).toEqual([expect.stringContaining('TRUST_PROXY=loopback,linklocal,uniquelocal')]);
  });

  test("the public address's host is always allowed", () => {
    const env = { ALLOWED_HOSTS: 'internal.example', PUBLIC_URL: 'https://app.example:8443' };
    expect(production(env).config.allowedHosts).toEqual(['internal.example', 'app.example']);
    expect(production({ PUBLIC_URL: 'https://app.example' }).config.allowedHosts).toEqual([]);
  });

  const OWN = ['localhost', '*.localhost', '127.0.0.1', '::1'];
  test.each<[string, Env, string[]]>([
    ['the loopback names', {}, OWN],
    ['on all addresses no others', { HOST: '0.0.0.0,::' }, OWN],
    [
      'what is set as well',
      { ALLOWED_HOSTS: 'box.lan', PUBLIC_URL: 'https://app.example' },
      ['box.lan', 'app.example', ...OWN],
    ],
    ['an address to listen on', { HOST: '192.0.2.7' }, [...OWN, '192.0.2.7']],
    [
      "a Replit workspace's preview",
      { REPL_ID: 'x', REPLIT_DEV_DOMAIN: 'X.janeway.replit.dev' },
      [...OWN, 'x.janeway.replit.dev'],
    ],
    ['and elsewhere no such name', { REPLIT_DEV_DOMAIN: 'x.janeway.replit.dev' }, OWN],
  ])('development answers under %s', (_what, env, hosts) => {
    expect(development(env).config.allowedHosts).toEqual(hosts);
  });

  test('a drain delay that leaves no time for requests is remarked on', () => {
    expect(production({ DRAIN_DELAY_MS: '8000' }).warnings).toEqual([
      expect.stringContaining('leaves nothing of SHUTDOWN_TIMEOUT_MS (8000)'),
    ]);
  });

  test('LOG_FILE starts from the folder', () => {
    expect(production({ LOG_FILE: 'logs/app.log' }).config.log.file).toBe(join(folder, 'logs/app.log'));
  });
});

describe('sources', () => {
  test('the environment wins over .env.production, and that over .env', () => {
    file('.env', '\uFEFFRATE_LIMIT_MAX="1"\r\nDB_POOL_SIZE=1\nRATE_LIMIT_WINDOW_MS=1\n');
    file('.env.production', 'DB_POOL_SIZE=2\nRATE_LIMIT_WINDOW_MS=2');
    const { settings } = production({ DB_POOL_SIZE: '3' });
    const of = (name: string) => settings.find((setting) => setting.name === name);
    expect(of('DB_POOL_SIZE')).toMatchObject({ value: '3', origin: 'environment' });
    expect(of('RATE_LIMIT_WINDOW_MS')).toMatchObject({ value: '2', origin: '.env.production' });
    expect(of('RATE_LIMIT_MAX')).toMatchObject({ value: '1', origin: '.env' });
    expect(of('PORT')).toMatchObject({ value: '5000', origin: 'default' });
  });

  test('.env may say which environment this is, and .env.production is then left alone', () => {
    file('.env', 'NODE_ENV=development');
    file('.env.production', 'DB_POOL_SIZE=2');
    const { config } = loadConfig({}, {}, folder, false);
    expect(config).toMatchObject({ environment: 'development', database: { poolSize: 20 } });
  });

  test('a mistake names the file that it stands in', () => {
    file('.env', 'PORT=x');
    expect(() => production()).toThrow('PORT (in .env)\n');
  });

  test('a .env that cannot be read is remarked on', () => {
    mkdirSync(join(folder, '.env'));
    expect(production().warnings).toEqual(['.env could not be read (EISDIR) and is left out.']);
  });

  const SECRETS: [string, string, (config: Config) => unknown][] = [
    ['DATABASE_URL', 'postgres://u:p@10.0.0.9/d', (config) => config.database.connection?.host],
    ['DATABASE_DIRECT_URL', 'postgres://u:p@10.0.0.8/d', (config) => config.database.direct?.host],
    ['PGPASSWORD', ' keeps its spaces ', (config) => config.database.connection?.password],
    ['REDIS_URL', 'redis://:p@cache', (config) => config.redisUrl],
    ['SESSION_SECRET', STRONG, (config) => config.sessionSecrets[0]],
    ['INTERNAL_API_KEY', STRONG, (config) => config.internalApiKeys[0]],
  ];

  test.each(SETTINGS.flatMap(({ env, secret }) => (secret ? env : [])))(
    '%s is a secret, so it is looked for in a file as well',
    (name) => {
      expect(refused(() => production({ [`${name}_FILE`]: 'absent' }))).toContainEqual(
        expect.stringMatching(`^${name}_FILE names a file that cannot be read`),
      );
    },
  );

  describe.each(SECRETS)('%s', (name, text, read) => {
    const env = name === 'DATABASE_URL' ? {} : { DATABASE_URL: 'postgres://app@127.0.0.1/app' };
    const using: Env = name === 'REDIS_URL' ? { RATE_LIMIT_STORE: 'redis' } : {};
    const load = (more: Env) => loadConfig({}, { ...env, ...using, ...more }, folder, false);

    test('is read from a file as from the environment', () => {
      const direct = load({ [name]: text });
      const fromFile = load({ [`${name}_FILE`]: file('secret', `${text}\n`) });
      expect(read(direct.config)).toBeTruthy();
      expect(read(fromFile.config)).toBe(read(direct.config));
      expect(fromFile.settings.find((setting) => setting.name === name)?.origin).toBe(`${name}_FILE`);
    });

    test('may be given both ways when they agree', () => {
      expect(load({ [name]: text, [`${name}_FILE`]: file('secret', `${text}\r\n`) }).warnings).toEqual([]);
    });

    test('is refused when they differ, when the file is missing, and when it is empty', () => {
      const path = file('secret', 'another value');
      expect(refused(() => load({ [name]: text, [`${name}_FILE`]: path }))).toContainEqual(
        expect.stringMatching(`^${name} has another value than ${name}_FILE`),
      );
      expect(refused(() => load({ [`${name}_FILE`]: 'absent' }))).toEqual([
        expect.stringMatching(`^${name}_FILE names a file that cannot be read, absent \\(ENOENT\\)`),
      ]);
      expect(refused(() => load({ [`${name}_FILE`]: file('empty', '\n') }))).toEqual([
        expect.stringMatching(`^${name}_FILE names an empty file`),
      ]);
    });

    test('is never shown', () => {
      expect(JSON.stringify(load({ [name]: text }).settings)).not.toContain(text);
    });
  });

  test('what is not a secret is not read from a file', () => {
    expect(production({ PORT_FILE: file('port', '9') }).config.listen.port).toBe(5000);
  });
});

describe('aliases', () => {
  const ALIASES = SETTINGS.flatMap(({ env, aliases = [] }) => aliases.map((alias) => [alias, env] as const));
  const VALUES: Record<string, [string, string]> = {
    CORS_ORIGINS: ['https://a.example', 'https://b.example'],
    ENABLE_METRICS: ['true', 'false'],
    DATABASE_CA: [CERTIFICATE, `${CERTIFICATE}\n${CERTIFICATE}`],
    DATABASE_DIRECT_URL: ['postgres://a@127.0.0.1', 'postgres://b@127.0.0.1'],
  };

  test('those that guides use most are known', () => {
    expect(Object.fromEntries(ALIASES)).toMatchObject({
      CORS_ORIGIN: 'CORS_ORIGINS',
      RATE_LIMIT_MAX_REQUESTS: 'RATE_LIMIT_MAX',
      METRICS_ENABLED: 'ENABLE_METRICS',
      DATABASE_POOL_SIZE: 'DB_POOL_SIZE',
    });
  });

  test.each(ALIASES)('%s is read as %s and said once', (alias, name) => {
    const [value, another] = VALUES[name] ?? ['7', '8'];
    const { settings, warnings } = production({ [alias]: value });
    expect(settings.find((setting) => setting.name === name)?.origin).toBe(`alias ${alias}`);
    expect(warnings).toEqual([`${alias} is read as ${name}, which is the name used here.`]);
    expect(production({ [alias]: value, [name]: value }).warnings).toEqual([]);
    expect(refused(() => production({ [alias]: value, [name]: another }))).toEqual([
      expect.stringMatching(`^${name} has another value than ${alias}, and both are the same setting`),
    ]);
  });

  test('a mistake names the alias that holds it', () => {
    expect(refused(() => production({ DATABASE_POOL_SIZE: 'x' }))[0]).toMatch(/^DATABASE_POOL_SIZE /);
  });

  test('an alias in .env gives way to the name in the environment', () => {
    file('.env', 'DATABASE_POOL_SIZE=5');
    expect(production({ DB_POOL_SIZE: '6' }).config.database.poolSize).toBe(6);
  });
});

describe('secrets', () => {
  const keys = { SESSION_SECRET: 'sessionSecrets', INTERNAL_API_KEY: 'internalApiKeys' } as const;
  const hexadecimal = '9f3c1e7a5b2d8046c4f1a97e3d5b60828e1c4f7a9b3d5e60712c8f4a6d9b3e15';

  test.each([
    ['SESSION_SECRET', STRONG],
    ['SESSION_SECRET', hexadecimal.slice(0, 32)],
    ['SESSION_SECRET', 'k7test92m4p1x8q3z6v5w0r2n9j4h7b1'],
    ['SESSION_SECRET', 'correct horse battery staple over the hills'],
    ['SESSION_SECRET', `${STRONG}, ${hexadecimal}`],
    ['INTERNAL_API_KEY', STRONG],
    ['INTERNAL_API_KEY', hexadecimal],
    ['INTERNAL_API_KEY', `${hexadecimal},${STRONG}`],
  ] as const)('%s=%s is strong', (name, value) => {
    expect(production({ [name]: value }).config[keys[name]]).toEqual(value.split(/, ?/));
  });

  test.each([
    ['SESSION_SECRET', 'changeme', /is a placeholder/],
    ['SESSION_SECRET', 'secret', /is a placeholder/],
    ['SESSION_SECRET', 'your-secret-key-here', /is a placeholder/],
    ['SESSION_SECRET', '<your session secret>', /is a placeholder/],
    ['SESSION_SECRET', 'replace-this-with-a-long-random-string-please', /is a placeholder/],
    ['SESSION_SECRET', 'super-secret-key-at-least-32-characters-long', /is a placeholder/],
    ['SESSION_SECRET', 'example-password-example-password-123', /is a placeholder/],
    ['SESSION_SECRET', 'qwertyuiopasdfghjklzxcvbnm123456', /is a placeholder/],
    ['SESSION_SECRET', '0'.repeat(64), /too regular/],
    ['SESSION_SECRET', '0123456789abcdef0123456789abcdef', /too regular/],
    ['SESSION_SECRET', 'abcdefghijklmnopqrstuvwxyz0123456789', /too regular/],
    ['SESSION_SECRET', 'k9Xk9Xk9Xk9Xk9Xk9Xk9Xk9Xk9Xk9Xk9X', /too regular/],
    ['SESSION_SECRET', STRONG.slice(0, 31), /has 31 characters, and 32 are the least/],
    ['SESSION_SECRET', `${STRONG},short`, /holds 2 secrets; number 2 has 5 characters/],
    ['INTERNAL_API_KEY', STRONG.slice(0, 42), /has 42 characters, and 43 are the least/],
    ['INTERNAL_API_KEY', hexadecimal.slice(0, 63), /has 63 characters, and 64 are the least/],
    ['INTERNAL_API_KEY', 'f'.repeat(64), /too regular/],
  ] as const)('%s=%s stops production and is remarked on in development', (name, value, expected) => {
    const [problem] = refused(() => production({ [name]: value }));
    expect(problem).toMatch(expected);
    expect(problem).toContain(MAKE_SECRET);
    if (value.length > 8) expect(problem).not.toContain(value.slice(-8));
    const { config, warnings } = development({ [name]: value });
    expect(warnings).toEqual([expect.stringMatching(expected)]);
    expect(config[keys[name]]).toEqual(value.split(','));
  });

  test('no random value is taken for a weak one', () => {
    const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3000; i++) {
      const lower = Array.from(randomBytes(32), (byte) => alphabet[byte % 36]).join('');
      const [hex16, hex32, base64] = [16, 32, 32].map((size, at) =>
        randomBytes(size).toString(at < 2 ? 'hex' : 'base64url'),
      ) as [string, string, string];
      for (const value of [lower, hex16, hex32, base64]) expect(isPlaceholder(value), value).toBe(false);
      expect(Math.min(estimateBits(hex32), estimateBits(base64))).toBeGreaterThan(128);
      least = Math.min(least, estimateBits(hex16), estimateBits(lower));
    }
    expect(least).toBeGreaterThan(64);
  });

  test('the command that is recommended makes a good value', () => {
    const [, script = ''] = /^node -e "(.*)"$/.exec(MAKE_SECRET) ?? [];
    const value = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim();
    expect(production({ SESSION_SECRET: value, INTERNAL_API_KEY: value }).warnings).toEqual([]);
  });

  test('development makes them once, for its owner only, and keeps what was there', () => {
    const first = development();
    const path = join(folder, '.data/secrets.json');
    expect(first.config.sessionSecrets).not.toEqual(first.config.internalApiKeys);
    expect(development().config.sessionSecrets).toEqual(first.config.sessionSecrets);
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(first.settings.find(({ name }) => name === 'SESSION_SECRET')).toMatchObject({
      name: 'SESSION_SECRET',
      value: '(secret)',
      origin: 'generated',
    });
    const { SESSION_SECRET, INTERNAL_API_KEY } = JSON.parse(readFileSync(path, 'utf8'));
    expect([[SESSION_SECRET], [INTERNAL_API_KEY]]).toEqual([
      first.config.sessionSecrets,
      first.config.internalApiKeys,
    ]);

    writeFileSync(path, JSON.stringify({ SESSION_SECRET }));
    const second = development();
    expect(second.config.sessionSecrets).toEqual(first.config.sessionSecrets);
    expect(second.config.internalApiKeys).not.toEqual(first.config.internalApiKeys);
    expect(development().config.internalApiKeys).toEqual(second.config.internalApiKeys);
  });

  test('those that an older development server may have answered to strangers are warned of, until they are made again', () => {
    const secret = 'x8Tq02LmZ-Vd4rYp1KcWn7Bh3Gj9Fs5Qa6Ue_RiOoZz';
    mkdirSync(join(folder, '.data'));
    file('.data/secrets.json', JSON.stringify({ SESSION_SECRET: secret, INTERNAL_API_KEY: secret }));
    const reachable = { HOST: '0.0.0.0' };
    expect(development(reachable).warnings).toEqual([expect.stringMatching(/secrets\.json is .*Delete it/)]);
    expect(development().warnings).toEqual([]);
    rmSync(join(folder, '.data/secrets.json'));
    expect(development(reachable).config.sessionSecrets).not.toEqual([secret]);
    expect(development(reachable).warnings).toEqual([]);
  });

  test('a damaged file is replaced, and one that cannot be written is remarked on', () => {
    mkdirSync(join(folder, '.data'));
    file('.data/secrets.json', '{"SESSION_SEC');
    expect(development().config.sessionSecrets).toEqual(development().config.sessionSecrets);
    rmSync(join(folder, '.data'), { recursive: true });
    file('.data', 'not a folder');
    const { config, warnings } = development();
    expect(config.sessionSecrets[0]).toHaveLength(43);
    expect(warnings).toEqual([expect.stringContaining('will be new at every start')]);
  });

  test('one of spaces counts as unset', () => {
    expect(development({ SESSION_SECRET: '  ' }).config.sessionSecrets[0]).toHaveLength(43);
  });

  test('production makes none', () => {
    expect(production().config).toMatchObject({ sessionSecrets: [], internalApiKeys: [] });
    expect(() => statSync(join(folder, '.data'))).toThrow('ENOENT');
  });

  test('of several starters at once all go on with the same secrets', async () => {
    const [starters, rounds] = [2, 25];
    // Each waits until all have come to the round, and then makes its secrets as fast as it can.
    const starter = `
      const { workerData: { secretsModule, folder, rounds, starters, arrived }, parentPort } = require('node:worker_threads');
      import(secretsModule).then(({ developmentSecrets }) => {
        const count = new Int32Array(arrived);
        const made = Array.from({ length: rounds }, (_, round) => {
          Atomics.add(count, 0, 1);
          while (Atomics.load(count, 0) < starters * (round + 1));
          return developmentSecrets(folder + '/' + round + '.json', ['A', 'B']).secrets;
        });
        parentPort.postMessage(made);
      });`;
    const workerData = {
      secretsModule: new URL('./secrets.ts', import.meta.url).href,
      folder,
      rounds,
      starters,
      arrived: new SharedArrayBuffer(4),
    };
    const made = await Promise.all(
      Array.from({ length: starters }, async () => {
        const [message] = await once(new Worker(starter, { eval: true, workerData }), 'message');
        return JSON.stringify(message);
      }),
    );
    expect(JSON.parse(made[0] ?? '')).toHaveLength(rounds);
    expect(new Set(made).size).toBe(1);
    expect(readdirSync(folder)).toHaveLength(rounds);
  });
});

describe('database', () => {
  const connection = (url: string, env: Env = {}) =>
    production({ DATABASE_URL: url, ...env }).config.database.connection;

  test.each<[string, Env, object]>([
    [
      'postgresql://u:p%40ss@db:6000/d',
      {},
      { host: 'db', port: 6000, user: 'u', password: 'p@ss', database: 'd' },
    ],
    ['postgres://u:50%@db/d', {}, { password: '50%' }],
    ['postgres://u@[fd00::1]:6000/d', {}, { host: 'fd00::1', port: 6000 }],
    ['postgres://u@db', {}, { port: 5432, database: 'u', password: undefined }],
    ['postgres://', { USER: 'me' }, { host: 'localhost', user: 'me', database: 'me' }],
    [
      'postgres://db/d',
      { PGUSER: 'pu', PGPASSWORD: 'pp', PGPORT: '6001' },
      { user: 'pu', password: 'pp', port: 6001 },
    ],
    [
      'postgres://u:p@/d?host=/cloudsql/p:r:i',
      {},
      { host: '/cloudsql/p:r:i', user: 'u', database: 'd', ssl: false },
    ],
    [
      'postgres://%2Fvar%2Frun%2Fpostgresql/d',
      {},
      { host: '/var/run/postgresql', database: 'd', ssl: false },
    ],
    [
      'postgres:///d?host=/tmp&user=u&password=p&port=6002',
      {},
      { host: '/tmp', user: 'u', password: 'p', port: 6002 },
    ],
    ['postgres://u@db/d?options=-csearch_path%3Dx', {}, { options: '-csearch_path=x' }],
    ['postgres://u@db/d?sslmode=require&channel_binding=require', {}, { enableChannelBinding: true }],
    ['postgres://u@db/d?sslmode=require&sslnegotiation=direct', {}, { sslnegotiation: 'direct' }],
  ])('%s with %j', (url, env, expected) => {
    expect(connection(url, env)).toMatchObject(expected);
  });

  test('the PG… variables alone make a connection', () => {
    const env = { PGHOST: 'db', PGUSER: 'u', PGPASSWORD: 'p', PGDATABASE: 'd', PGPORT: '6000' };
    expect(loadConfig({}, env, folder).config.database).toMatchObject({
      embedded: false,
      connection: { host: 'db', port: 6000, user: 'u', password: 'p', database: 'd', ssl: false },
    });
    expect(development({ PGUSER: 'u', PGPASSWORD: 'p' }).config.database.embedded).toBe(true);
  });

  test('the direct connection takes the rest from the main one', () => {
    const env = { DATABASE_URL: 'postgres://u:p@pool:6432/d', DATABASE_DIRECT_URL: 'postgres://db' };
    const { config, warnings } = loadConfig({}, env, folder);
    expect(config.database.direct).toMatchObject({
      host: 'db',
      port: 5432,
      user: 'u',
      password: 'p',
      database: 'd',
    });
    expect(warnings).toEqual([]);
  });

  test.each([
    ['mysql://u:hush-hush@h/d', /does not start with postgres:\/\//],
    ['"postgres://u:hush-hush@h/d"', /Leave the quotation marks out/],
    ['postgres://u:hush/hush@h/d', /Percent-encode/],
    ['postgres://u:12/hush@h/d', /Percent-encode/],
    ['postgres://u:12?hush@h/d', /Percent-encode/],
    ['postgres://u:hush#hush@h/d', /Percent-encode/],
    ['postgres://u:12#hush@h/d', /Percent-encode/],
    ['postgres://u:hush@h:0/d', /has a port that is none/],
    ['postgres://u:hush@h:70000/d', /Percent-encode/],
    ['postgres://u:hush@a,b/d', /names several hosts/],
    ['postgres://u:hush@h/d?sslmode=on', /unknown sslmode 'on'.*verify-full/],
    ['postgres://u:hush@h/d?sslnegotiation=direct&sslmode=disable', /sslnegotiation=direct without TLS/],
  ])('%s is refused without being shown', (url, expected) => {
    const problems = refused(() => production({ DATABASE_URL: url }));
    expect(problems).toEqual([expect.stringMatching(expected)]);
    expect(problems.join()).not.toContain('hush');
    expect(refused(() => production({ DATABASE_DIRECT_URL: url }))).toHaveLength(1);
  });

  test('production demands one and says how; development starts its own', () => {
    expect(refused(() => loadConfig({}, {}, folder))).toEqual([
      expect.stringMatching(/^DATABASE_URL is not set.*DATABASE_URL=postgres:.*NODE_ENV=development/),
    ]);
    expect(refused(() => loadConfig({}, { REPLIT_DEPLOYMENT: '1' }, folder))[0]).toContain('open Database');
  });

  const plain = false;
  const unverified = { rejectUnauthorized: false };
  const verified = { rejectUnauthorized: true };
  const CA = { DATABASE_CA: CERTIFICATE };
  test.each<[string, string, Env, unknown]>([
    ['production', 'db.example.com', {}, verified],
    ['production', '203.0.113.9', {}, verified],
    ['production', 'db', {}, plain],
    ['production', '10.1.2.3', {}, plain],
    ['production', 'pg.internal', {}, plain],
    ['production', 'db', CA, { ...verified, ca: CERTIFICATE }],
    ['development', 'db.example.com', {}, unverified],
    ['development', 'db', {}, plain],
    ['development', 'db', { PGSSLROOTCERT: 'system' }, verified],
    ['production', 'db.example.com?sslmode=disable', {}, plain],
    ['production', 'db?sslmode=disable', CA, plain],
    ['production', 'db?sslmode=allow', {}, plain],
    ['production', 'db?sslmode=prefer', {}, plain],
    ['production', 'db.example.com?sslmode=prefer', {}, unverified],
    ['production', 'db.example.com?sslmode=require', {}, unverified],
    ['production', 'db?sslmode=require', {}, unverified],
    ['production', 'db?sslmode=no-verify', CA, { ...unverified, ca: CERTIFICATE }],
    ['production', 'db?sslmode=verify-full', {}, verified],
    ['production', 'db?sslmode=verify-full', CA, { ...verified, ca: CERTIFICATE }],
    ['production', 'db?ssl=true', {}, verified],
    ['production', 'db.example.com?ssl=false', {}, plain],
    ['production', 'db', { PGSSLMODE: 'require' }, unverified],
    ['production', 'db?sslmode=verify-full', { PGSSLMODE: 'disable' }, verified],
  ])('TLS in %s to %s with %j', (NODE_ENV, address, env, expected) => {
    const url = `postgres://u:p@${address.replace('?', '/d?')}`;
    expect(
      loadConfig({}, { NODE_ENV, DATABASE_URL: url, ...env }, folder).config.database.connection?.ssl,
    ).toEqual(expected);
  });

  test.each(['require', 'verify-ca'])(
    'sslmode=%s with an authority checks the chain, not the name',
    (mode) => {
      const ssl = connection(`postgres://u@db/d?sslmode=${mode}`, CA)?.ssl;
      expect(ssl).toMatchObject({ rejectUnauthorized: true, ca: CERTIFICATE });
      expect(ssl ? ssl.checkServerIdentity?.() : ssl).toBeUndefined();
      expect(ssl).toHaveProperty('checkServerIdentity');
    },
  );

  test('verify-ca without an authority is read as verify-full, and said once for both connections', () => {
    const url = 'postgres://u@db/d?sslmode=verify-ca';
    const { config, warnings } = production({ DATABASE_URL: url, DATABASE_DIRECT_URL: url });
    expect(config.database.connection?.ssl).toEqual(verified);
    expect(warnings).toEqual([expect.stringContaining('is read as verify-full')]);
  });

  test('the authority may be a path, a text on one line, or named by the address', () => {
    const path = file('ca.pem', CERTIFICATE);
    const ca = (url: string, env: Env) => {
      const ssl = connection(url, env)?.ssl;
      return ssl ? ssl.ca : ssl;
    };
    expect(ca('postgres://u@db/d', { DATABASE_CA: path })).toBe(CERTIFICATE);
    expect(ca('postgres://u@db/d', { DATABASE_CA: CERTIFICATE.replaceAll('\n', '\\n') })).toBe(CERTIFICATE);
    expect(ca(`postgres://u@db/d?sslrootcert=${path}`, {})).toBe(CERTIFICATE);
    expect(ca('postgres://u@db/d', { PGSSLROOTCERT: path })).toBe(CERTIFICATE);
    expect(refused(() => connection('postgres://u@db/d', { DATABASE_CA: 'absent.pem' }))).toEqual([
      expect.stringMatching(/^DATABASE_CA names a file that cannot be read, absent.pem \(ENOENT\)/),
    ]);
    expect(refused(() => connection('postgres://u@db/d', { DATABASE_CA: file('x.pem', 'x') }))).toEqual([
      expect.stringMatching(/^DATABASE_CA holds no certificate/),
    ]);
  });

  test('a client certificate is read', () => {
    const url = `postgres://u@db/d?sslmode=require&sslcert=${file('c', 'C')}&sslkey=${file('k', 'K')}`;
    expect(connection(url)?.ssl).toEqual({ rejectUnauthorized: false, cert: 'C', key: 'K' });
  });

  test.each<[string, boolean]>([
    ...['localhost', '127.0.0.9', '::1', '0.0.0.0', '/tmp', '10.0.0.1', '172.16.0.1', '172.31.255.1'].map(
      (host): [string, boolean] => [host, true],
    ),
    ...['192.168.1.1', '169.254.1.1', 'fd12::1', 'fc00::1', 'fe80::1', '::ffff:10.0.0.1'].map(
      (host): [string, boolean] => [host, true],
    ),
    ...['db', 'db.internal', 'nas.local', 'db.shop.svc', 'DB.Internal.'].map((host): [string, boolean] => [
      host,
      true,
    ]),
    ...[
      '8.8.8.8',
      '172.32.0.1',
      '11.0.0.1',
      '2001:db8::1',
      '::ffff:8.8.8.8',
      'db.example.com',
      'local.example',
    ].map((host): [string, boolean] => [host, false]),
  ])('%s is a private host: %s', (host, expected) => {
    expect(isPrivateHost(host)).toBe(expected);
  });

  test.each([
    ['postgres://u:p@db:6432/d', true],
    ['postgres://u:p@db/d?pgbouncer=true', true],
    ['postgres://u:p@ep-x-pooler.eu.aws.neon.tech/d', true],
    ['postgres://u:p@x.pooler.supabase.com:6543/d', true],
    ['postgres://u:p@x.pooler.supabase.com:5432/d', false],
    ['postgres://u:p@db/d', false],
  ])('%s leads to a pooler: %s', (url, expected) => {
    const { config, warnings } = production({ DATABASE_URL: url });
    expect(config.database.poolerHint).toBe(expected);
    expect(warnings.filter((warning) => warning.includes('DATABASE_DIRECT_URL'))).toHaveLength(
      expected ? 1 : 0,
    );
    expect(production({ DATABASE_URL: url, MIGRATE_ON_START: 'false' }).warnings).toEqual([]);
  });

  test.each<[string, Env, RegExp | undefined]>([
    [
      'postgres://u:p@db/d?connect_timeout=5',
      {},
      /connect_timeout of DATABASE_URL is not used\. Use DB_CONNECT/,
    ],
    ['postgres://u:p@db/d?schema=shop', {}, /search_path/],
    ['postgres://u:p@db/d?schema=public&application_name=x', {}, undefined],
    ['postgres://u:p@db/d?colour=red', {}, /parameter colour/],
    ['postgres://u:p@db/d', { PGHOST: 'other' }, /PGHOST \(other\) is not used/],
    ['postgres://u:p@db/d', { PGHOST: 'db' }, undefined],
    ['postgres://u:postgres@db/d', {}, /is a placeholder/],
    ['postgres://u:postgres@localhost/d', {}, undefined],
    ['postgres://u:p@db.example.com/d?sslmode=disable', {}, /not encrypted/],
  ])('%s with %j remarks on %s', (url, env, expected) => {
    const { warnings } = production({ DATABASE_URL: url, ...env });
    expect(warnings).toEqual(expected ? [expect.stringMatching(expected)] : []);
  });
});

describe('hints', () => {
  const said = (env: Env) => production(env).warnings;

  test.each(Object.keys(LOOK_ALIKES).filter((name) => name !== 'HOSTNAME'))(
    '%s gets a hint when it is set',
    (pattern) => {
      const name = pattern.replace('*', 'X');
      const [hint = ''] = development({ [name]: 'x' }).warnings;
      expect(hint).toMatch(new RegExp(`^${name} is not read`));
      for (const [meant] of hint.slice(name.length).matchAll(/\b[A-Z]+_[A-Z_]+\b|\bPG[A-Z]+\b/g)) {
        expect(NAMES).toContain(meant);
      }
    },
  );

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

describe('what is said', () => {
  test('all problems at once, on a terminal, with what was noticed besides', () => {
    file('.env', 'BODY_LIMIT_BYTES=1mb\n');
    const load = () =>
      loadConfig({}, { DATABSE_URL: LOCAL, SESSION_SECRET: 'changeme', TRUST_PROXY: '2' }, folder);
    expect(load).toThrowErrorMatchingInlineSnapshot(`
      [ConfigError: The server cannot start: 4 settings are not right.

        TRUST_PROXY
          2 counts proxies, so a client that connects directly could choose its own address.
          → Name the addresses your proxy connects from: TRUST_PROXY=loopback,linklocal,uniquelocal for a private network, or a range such as 10.0.0.0/8.

        BODY_LIMIT_BYTES (in .env)
          '1mb' is not a plain whole number.
          → Write 1048576.

        SESSION_SECRET
          is a placeholder.
          → Make a good one: node -e "console.log(require('node:crypto').randomBytes(32).toString('base64url'))"

        DATABASE_URL
          is not set, and production needs a database.
          → Set DATABASE_URL=postgres://user:password@host:5432/database, or DATABASE_URL_FILE to a file that holds it. NODE_ENV=development starts an embedded one, for trying out.

        Also noticed
          - DATABSE_URL is not read; did you mean DATABASE_URL?
      ]
    `);
  });

  test('passwords stay out of everything that is shown', () => {
    const env = {
      DATABASE_URL: 'postgres://app:hush-hush@db:5433/shop?password=hush-hush',
      DATABASE_DIRECT_URL: 'postgres://app:hush-hush@/shop?host=/tmp',
      REDIS_URL: 'redis://:hush-hush@cache:6379',
      PGPASSWORD: 'hush-hush',
    };
    const { settings, warnings } = production(env);
    expect(JSON.stringify({ settings, warnings })).not.toContain('hush');
    expect(settings.find(({ name }) => name === 'DATABASE_URL')?.value).toBe(
      'postgres://(secret)@db:5433/shop',
    );
  });

  test.each([
    // Each has a password that should have been encoded, and is an address of something else by the rules.
    ['REDIS_URL', 'redis://:12/hush@cache:6379'],
    ['REDIS_URL', 'redis://hush:12?hush@cache:6379'],
    ['REDIS_URL', 'redis://hush:12#hush@cache:6379'],
    [
      'DATABASE_CA',
      '-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----hush',
    ],
  ])('nor what a secret is taken for in %s=%s', (name, text) => {
    let told: string;
    try {
      told = JSON.stringify(production({ [name]: text }).settings);
    } catch (error) {
      // Refused, which also tells nobody.
      told = String(error);
    }
    expect(told).not.toContain('hush');
  });

  test('every setting is told of, once', () => {
    const names = production().settings.map(({ name }) => name);
    expect(names.toSorted()).toEqual(NAMES.toSorted());
  });
});

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  development,
  type Env,
  file,
  folder,
  LOCAL,
  load,
  production,
  refused,
} from '../../../tests/support/config.ts';
import { readListenAddress } from './config.ts';
import { settingsOf } from './setting.ts';
import { platformSettings } from './settings.ts';

const NAMES = settingsOf(platformSettings).map(({ env }) => env);

describe('defaults', () => {
  test('production, with nothing but a database', () => {
    const { config, warnings } = production();
    // What a product adds is beside these.
    expect(config).toMatchObject({
      environment: 'production',
      platform: { replit: undefined, kubernetes: false, container: false },
      publicUrl: undefined,
      allowedHosts: [],
      listen: { hosts: ['0.0.0.0'], port: 5000, mayMove: false },
      dataDir: join(folder, '.data'),
      database: {
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

  test('development differs in the address, the secrets and HSTS', () => {
    const { config, warnings } = development();
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
    expect(readListenAddress({ PORT: '3200', HOST: ' ' }, folder)).toEqual({
      hosts: ['::1'],
      port: 3200,
      mayMove: false,
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
    });
    expect(refused(() => load(env)).map((line) => line.split(' ')[0])).toEqual([
      'NODE_ENV',
      'PORT',
      'HOST',
      'SESSION_SECRET',
      'DATABASE_URL',
    ]);
  });

  test('a port of 0 is a choice', () => {
    expect(readListenAddress({ PORT: '0' }, folder)).toMatchObject({ port: 0 });
  });
});

describe('errors and warnings', () => {
  test('all problems at once, readable on a terminal, with the warnings', () => {
    file('.env', 'BODY_LIMIT_BYTES=1mb\n');
    const attempt = () => load({ DATABSE_URL: LOCAL, SESSION_SECRET: 'changeme', TRUST_PROXY: '2' });
    expect(attempt).toThrowErrorMatchingInlineSnapshot(`
      [ConfigError: The server cannot start: 4 settings are invalid.

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
          is not set, and the server needs a database.
          → Set DATABASE_URL=postgres://user:password@host:5432/database, or DATABASE_URL_FILE to a file that holds it. For development, \`npm start\` and \`npm run dev\` start a PostgreSQL.

        Warnings
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

  test('every setting is listed once', () => {
    const names = production().settings.map(({ name }) => name);
    expect(names.toSorted()).toEqual(NAMES.toSorted());
  });
});

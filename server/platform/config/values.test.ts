import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { development, type Env, folder, production, refused } from '../../../tests/support/config.ts';

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
    ['TRUST_PROXY', '10.0.0.0/33', /neither an address nor a range/],
    ['TRUST_PROXY', 'proxy.example', /neither an address nor a range/],
    ['HSTS', '31536000', /not a Strict-Transport-Security header/],
    ['HSTS', 'max-age=300; includesubdomain', /not a Strict-Transport-Security header/],
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

  test('a drain delay that leaves no time for requests causes a warning', () => {
    expect(production({ DRAIN_DELAY_MS: '8000' }).warnings).toEqual([
      expect.stringContaining('leaves nothing of SHUTDOWN_TIMEOUT_MS (8000)'),
    ]);
  });

  test('LOG_FILE starts from the folder', () => {
    expect(production({ LOG_FILE: 'logs/app.log' }).config.log.file).toBe(join(folder, 'logs/app.log'));
  });
});

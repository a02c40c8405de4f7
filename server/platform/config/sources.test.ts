import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  CERTIFICATE,
  type Env,
  file,
  folder,
  LOCAL,
  load,
  production,
  refused,
  STRONG,
} from '../../../tests/support/config.ts';
import type { Config } from './config.ts';
import { settingsOf } from './setting.ts';
import { platformSettings } from './settings.ts';

const SETTINGS = settingsOf(platformSettings);

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
    const { config } = load({ DATABASE_URL: LOCAL });
    expect(config).toMatchObject({ environment: 'development', database: { poolSize: 20 } });
  });

  test('a mistake names the file that it stands in', () => {
    file('.env', 'PORT=x');
    expect(() => production()).toThrow('PORT (in .env)\n');
  });

  test('a .env that cannot be read causes a warning', () => {
    mkdirSync(join(folder, '.env'));
    expect(production().warnings).toEqual(['.env could not be read (EISDIR) and is ignored.']);
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
    const env: Env = name === 'DATABASE_URL' ? {} : { DATABASE_URL: 'postgres://app@127.0.0.1/app' };
    const using: Env = name === 'REDIS_URL' ? { RATE_LIMIT_STORE: 'redis' } : {};
    const loadWith = (more: Env) => load({ ...env, ...using, ...more });

    test('is read from a file as from the environment', () => {
      const direct = loadWith({ [name]: text });
      const fromFile = loadWith({ [`${name}_FILE`]: file('secret', `${text}\n`) });
      expect(read(direct.config)).toBeTruthy();
      expect(read(fromFile.config)).toBe(read(direct.config));
      expect(fromFile.settings.find((setting) => setting.name === name)?.origin).toBe(`${name}_FILE`);
    });

    test('may be given both ways when they agree', () => {
      expect(loadWith({ [name]: text, [`${name}_FILE`]: file('secret', `${text}\r\n`) }).warnings).toEqual(
        [],
      );
    });

    test('is refused when they differ, when the file is missing, and when it is empty', () => {
      const path = file('secret', 'another value');
      expect(refused(() => loadWith({ [name]: text, [`${name}_FILE`]: path }))).toContainEqual(
        expect.stringMatching(`^${name} has another value than ${name}_FILE`),
      );
      expect(refused(() => loadWith({ [`${name}_FILE`]: 'absent' }))).toEqual([
        expect.stringMatching(`^${name}_FILE names a file that cannot be read, absent \\(ENOENT\\)`),
      ]);
      expect(refused(() => loadWith({ [`${name}_FILE`]: file('empty', '\n') }))).toEqual([
        expect.stringMatching(`^${name}_FILE names an empty file`),
      ]);
    });

    test('is never shown', () => {
      expect(JSON.stringify(loadWith({ [name]: text }).settings)).not.toContain(text);
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

  test.each(ALIASES)('%s is read as %s, with one warning', (alias, name) => {
    const [value, another] = VALUES[name] ?? ['7', '8'];
    const { settings, warnings } = production({ [alias]: value });
    expect(settings.find((setting) => setting.name === name)?.origin).toBe(`alias ${alias}`);
    expect(warnings).toEqual([`${alias} is read as ${name}.`]);
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

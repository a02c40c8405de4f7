import { describe, expect, test } from 'vitest';
import {
  CERTIFICATE,
  type Env,
  file,
  LOCAL,
  load,
  production,
  refused,
} from '../../../tests/support/config.ts';
import { isPrivateHost } from './database.ts';

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
  ])('%s with %j', (url, env, expected) => {
    expect(connection(url, env)).toMatchObject(expected);
  });

  test('the PG… variables alone make a connection', () => {
    const env = { PGHOST: 'db', PGUSER: 'u', PGPASSWORD: 'p', PGDATABASE: 'd', PGPORT: '6000' };
    expect(load(env).config.database).toMatchObject({
      connection: { host: 'db', port: 6000, user: 'u', password: 'p', database: 'd', ssl: false },
    });
    expect(refused(() => load({ PGUSER: 'u', PGPASSWORD: 'p' }))).toEqual([
      expect.stringMatching(/^DATABASE_URL is not set, and the server needs a database → .*npm start/),
    ]);
  });

  test('the direct connection takes the rest from the main one', () => {
    const env = { DATABASE_URL: 'postgres://u:p@pool:6432/d', DATABASE_DIRECT_URL: 'postgres://db' };
    const { config, warnings } = load(env);
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
    ['postgres://u:hush@h:0/d', /has an invalid port/],
    ['postgres://u:hush@h:70000/d', /Percent-encode/],
    ['postgres://u:hush@a,b/d', /names several hosts/],
    ['postgres://u:hush@h/d?sslmode=on', /unknown sslmode 'on'.*verify-full/],
  ])('%s is refused without being shown', (url, expected) => {
    const problems = refused(() => production({ DATABASE_URL: url }));
    expect(problems).toEqual([expect.stringMatching(expected)]);
    expect(problems.join()).not.toContain('hush');
    expect(refused(() => production({ DATABASE_DIRECT_URL: url }))).toHaveLength(1);
  });

  test.each(['production', 'development'])('%s requires one and says how', (environment) => {
    expect(refused(() => load({ NODE_ENV: environment }))).toEqual([
      expect.stringMatching(/^DATABASE_URL is not set.*DATABASE_URL=postgres:.*`npm start`/),
    ]);
    expect(refused(() => load({ REPLIT_DEPLOYMENT: '1' }))[0]).toContain('open Database');
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
    expect(load({ NODE_ENV, DATABASE_URL: url, ...env }).config.database.connection?.ssl).toEqual(expected);
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

  test('verify-ca without an authority is verify-full', () => {
    expect(connection('postgres://u@db/d?sslmode=verify-ca')?.ssl).toEqual(verified);
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
    expect(production({ DATABASE_URL: url, MIGRATE_ON_START: 'false' }).warnings).toEqual(
      expected ? [expect.stringContaining('through which notifications do not arrive')] : [],
    );
    expect(production({ DATABASE_URL: url, DATABASE_DIRECT_URL: LOCAL }).warnings).toEqual([]);
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
    ['postgres://u:postgres@db/d', {}, /is a placeholder/],
    ['postgres://u:postgres@localhost/d', {}, undefined],
    ['postgres://u:p@db.example.com/d?sslmode=disable', {}, /not encrypted/],
  ])('%s with %j warns of %s', (url, env, expected) => {
    const { warnings } = production({ DATABASE_URL: url, ...env });
    expect(warnings).toEqual(expected ? [expect.stringMatching(expected)] : []);
  });
});

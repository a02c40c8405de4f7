import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../platform/config/config.ts';
import { judgeReadiness } from './production-readiness.ts';
import { type Deployment, worstOf } from './readiness-findings.ts';
import { operationsSettings } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'readiness-'));
afterAll(() => rmSync(folder, { recursive: true }));

const secret = () => randomBytes(32).toString('base64url');
const GOOD: Record<string, string> = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://app:Qm8vXr2kTz@db.internal:5432/app',
  PUBLIC_URL: 'https://app.example.com',
  ALLOWED_HOSTS: 'app.example.com',
  TRUST_PROXY: '10.0.0.0/8',
  INTERNAL_API_KEY: secret(),
  SESSION_SECRET: secret(),
  ENCRYPTION_KEY: secret(),
  MAX_INSTANCES: '4',
  RATE_LIMIT_STORE: 'postgres',
};

/** A deployment with nothing to complain of, but for what is given. */
function deployment(
  env: Record<string, string | undefined> = {},
  found: Partial<Deployment> = {},
): Deployment {
  const variables = Object.entries({ ...GOOD, ...env }).filter(([, value]) => value !== undefined);
  const { config, settings } = loadConfig(operationsSettings, Object.fromEntries(variables), folder, false);
  return {
    config,
    isSet: (name) =>
      !['default', 'generated'].includes(settings.find((one) => one.name === name)?.origin ?? 'default'),
    migrations: { applied: true, note: '3 in place' },
    pooler: false,
    database: { version: 160_004, connections: 97, superuser: false, clockAheadMs: 20, clockWithinMs: 5 },
    memory: { limit: 512 * 2 ** 20, heapLimit: 384 * 2 ** 20 },
    disk: { free: 0.5, freeBytes: 5 * 2 ** 30 },
    reportsRefused: undefined,
    untrustedProxy: undefined,
    askedOverTls: true,
    declaredAccess: { hasIdentity: true, userRoutes: ['POST /api/notes'], publicWrites: ['POST /hooks'] },
    encryption: { columns: 2, keys: ['1a2b3c4d'], inUse: ['1a2b3c4d'] },
    runsAsRoot: false,
    ...found,
  };
}

const judge = (name: string, ...given: Parameters<typeof deployment>) =>
  judgeReadiness(deployment(...given)).find((item) => item.name === name);

it('has nothing to say of a good deployment', () => {
  const items = judgeReadiness(deployment());
  expect(items.filter(({ status }) => status !== 'pass')).toEqual([]);
  expect(items.filter(({ remedy }) => remedy !== undefined)).toEqual([]);
  expect(worstOf(items)).toBe('pass');
});

const kubernetes = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };
const answers = (more: Partial<NonNullable<Deployment['database']>>) => ({
  database: { ...(deployment().database as NonNullable<Deployment['database']>), ...more },
});

/** Every item, each way in which it does not pass. */
const FAULTS: [
  name: string,
  status: 'warn' | 'fail',
  detail: RegExp,
  ...given: Parameters<typeof deployment>,
][] = [
  ['environment', 'warn', /runs as development/, { NODE_ENV: 'development' }],
  ['operators-key', 'warn', /INTERNAL_API_KEY is unset/, { INTERNAL_API_KEY: undefined }],
  ['operators-key', 'warn', /made for development/, { NODE_ENV: 'development', INTERNAL_API_KEY: undefined }],
  ['operators-key', 'fail', /is a placeholder/, { NODE_ENV: 'development', INTERNAL_API_KEY: 'change-me' }],
  ['session-secret', 'warn', /nobody can sign in/, { SESSION_SECRET: undefined }],
  ['session-secret', 'fail', /has 9 characters/, { NODE_ENV: 'development', SESSION_SECRET: 'x8Tq02LmZ' }],
  ['encryption', 'warn', /in plain text/, { ENCRYPTION_KEY: undefined }],
  [
    'encryption',
    'warn',
    /other keys than the first: 0badcafe\./,
    {},
    { encryption: { columns: 2, keys: ['1a2b3c4d', '0badcafe'], inUse: ['0badcafe', '1a2b3c4d'] } },
  ],
  ['tls', 'warn', /Nothing says/, { PUBLIC_URL: undefined }, { askedOverTls: false }],
  ['tls', 'fail', /without TLS/, { PUBLIC_URL: 'http://app.example.com' }],
  ['proxies', 'fail', /10\.1\.2\.3 sends/, {}, { untrustedProxy: '10.1.2.3' }],
  ['hosts', 'warn', /any Host/, { ALLOWED_HOSTS: undefined }],
  ['database', 'fail', /did not answer/, {}, { database: undefined }],
  ['database', 'fail', /PostgreSQL 13/, {}, answers({ version: 130_010 })],
  ['database', 'fail', /placeholder/, { DATABASE_URL: 'postgres://app:password@db.example.com/app' }],
  ['database', 'warn', /superuser/, {}, answers({ superuser: true })],
  [
    'database-tls',
    'fail',
    /not encrypted/,
    { DATABASE_URL: 'postgres://a:b@db.example.com/a?sslmode=disable' },
  ],
  [
    'database-tls',
    'warn',
    /not verified/,
    { DATABASE_URL: 'postgres://a:b@db.example.com/a?sslmode=require' },
  ],
  [
    'database-tls',
    'fail',
    /direct\.example\.com is not encrypted/,
    { DATABASE_DIRECT_URL: 'postgres://a:b@direct.example.com/a?sslmode=disable' },
  ],
  ['connections', 'fail', /= 105; the database allows 97/, { MAX_INSTANCES: '5' }],
  ['connections', 'warn', /= 210; the database allows 97/, { MAX_INSTANCES: undefined }],
  ['connections', 'fail', /allows 15/, { MAX_INSTANCES: undefined }, answers({ connections: 15 })],
  ['connections', 'warn', /did not say/, {}, { database: undefined }],
  [
    'migrations',
    'fail',
    /2 migrations are pending/,
    {},
    { migrations: { applied: false, note: '2 migrations are pending' } },
  ],
  ['migrations', 'warn', /transaction pooler/, {}, { pooler: true }],
  ['notifications', 'warn', /every 2 s/, {}, { pooler: true }],
  ['clock', 'warn', /differs .* by 3 s/, {}, answers({ clockAheadMs: -3_000 })],
  ['clock', 'fail', /by 60 s/, {}, answers({ clockAheadMs: 60_000 })],
  ['clock', 'warn', /did not tell/, {}, { database: undefined }],
  ['memory', 'warn', /Nothing limits/, {}, { memory: { limit: null, heapLimit: 2 ** 32 } }],
  ['memory', 'fail', /128 MiB/, {}, { memory: { limit: 2 ** 27, heapLimit: 2 ** 26 } }],
  ['memory', 'warn', /beyond the limit/, {}, { memory: { limit: 2 ** 28, heapLimit: 2 ** 31 } }],
  ['disk', 'warn', /15 % is free/, {}, { disk: { free: 0.15, freeBytes: 2 ** 30 } }],
  ['disk', 'fail', /5 % is free/, {}, { disk: { free: 0.05, freeBytes: 2 ** 30 } }],
  ['disk', 'warn', /cannot be read/, {}, { disk: undefined }],
  ['reports', 'warn', /\/tmp cannot be written/, {}, { reportsRefused: '/tmp cannot be written (EROFS)' }],
  ['time-outs', 'fail', /DRAIN_DELAY_MS leaves nothing/, { DRAIN_DELAY_MS: '9000' }],
  ['time-outs', 'warn', /Kubernetes goes on/, { ...kubernetes, DRAIN_DELAY_MS: '0' }],
  ['time-outs', 'warn', /below the 30 s/, { ...kubernetes, SHUTDOWN_TIMEOUT_MS: '30000' }],
  ['time-outs', 'warn', /below the 10 s/, { REPLIT_DEPLOYMENT: '1', SHUTDOWN_TIMEOUT_MS: '10000' }],
  ['time-outs', 'warn', /KEEP_ALIVE_TIMEOUT_MS/, { KEEP_ALIVE_TIMEOUT_MS: '5000' }],
  ['time-outs', 'warn', /REQUEST_TIMEOUT_MS is not below/, { REQUEST_TIMEOUT_MS: '60000' }],
  ['time-outs', 'warn', /go on when nobody waits/, { DB_STATEMENT_TIMEOUT_MS: '40000' }],
  ['time-outs', 'warn', /DB_CONNECT_TIMEOUT_MS/, { DB_CONNECT_TIMEOUT_MS: '30000' }],
  ['time-outs', 'warn', /STARTUP_HOLD_MS/, { STARTUP_HOLD_MS: '60000' }],
  ['rate-limit', 'warn', /4 times as many/, { RATE_LIMIT_STORE: 'memory' }],
  [
    'writes',
    'warn',
    /^Nothing tells who is signed in.* \(2\) admit everybody; these write: POST \/api\/notes\. .*'public': POST \/hooks\.$/,
    {},
    {
      declaredAccess: {
        hasIdentity: false,
        userRoutes: ['GET /api/notes', 'POST /api/notes'],
        publicWrites: ['POST /hooks'],
      },
    },
  ],
  ['log-level', 'warn', /writes much/, { LOG_LEVEL: 'debug' }],
  ['log-level', 'warn', /line of each request is not written, so/, { LOG_LEVEL: 'warn' }],
  ['log-level', 'warn', /line of each request is not written, nor are warnings/, { LOG_LEVEL: 'silent' }],
  ['metrics', 'warn', /no alert can fire/, { ENABLE_METRICS: 'false' }],
  ['user', 'warn', /runs as root/, {}, { runsAsRoot: true }],
];

it('shows a fault of every item', () => {
  const names = judgeReadiness(deployment()).map(({ name }) => name);
  expect([...new Set(FAULTS.map(([name]) => name))].sort()).toEqual(names.sort());
});

describe.each(FAULTS)('%s: %s', (name, status, detail, ...given) => {
  it(`says ${detail}, and what to do`, () => {
    const item = judge(name, ...given);
    expect(item).toMatchObject({ status, detail: expect.stringMatching(detail) });
    expect(item?.remedy).toMatch(/\w.*\.?$/);
  });
});

it('tells several time-outs that do not fit together', () => {
  const item = judge('time-outs', { DRAIN_DELAY_MS: '9000', KEEP_ALIVE_TIMEOUT_MS: '5000' });
  expect(item).toMatchObject({ status: 'fail', detail: expect.stringMatching(/DRAIN_DELAY_MS.*KEEP_ALIVE/) });
});

it('repeats no secret', () => {
  const text = JSON.stringify(judgeReadiness(deployment()));
  for (const name of ['INTERNAL_API_KEY', 'SESSION_SECRET']) expect(text).not.toContain(GOOD[name]);
  expect(text).not.toContain('Qm8vXr2kTz');
});

it('is content with defaults and a database nearby, and says what to set', () => {
  const items = judgeReadiness(
    deployment(
      Object.fromEntries(
        Object.keys(GOOD).map((name) => [name, name === 'DATABASE_URL' ? GOOD[name] : undefined]),
      ),
    ),
  );
  expect(items.filter(({ status }) => status === 'fail')).toEqual([]);
  expect(items.filter(({ status }) => status === 'warn').map(({ name }) => name)).toEqual([
    'operators-key',
    'session-secret',
    'encryption',
    'hosts',
    'connections',
  ]);
});

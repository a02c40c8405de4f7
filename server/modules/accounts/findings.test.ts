import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { makeUser } from '../../../tests/support/people.ts';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { loadConfig } from '../../platform/config/config.ts';
import { accountsFindings, type FindingOptions, secretsOlderThan } from './findings.ts';
import { accountsSettings } from './settings.ts';

const SECRET = 'pX3v9QmZ4Ld7Tn0Rk8Wy2HcFs6Ju1BgEaVo5iNzUqYt';
let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await createDatabase();
  server = await createTestApp(database.url);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});
beforeEach(() => query(database.url, 'truncate users, secrets_seen cascade'));

const OPEN = { signUp: 'open', verifies: true } as const;
const INVITED = { signUp: 'invitation', verifies: false } as const;
const DELIVERS = { delivers: true };

async function judge(
  name: string,
  env: Record<string, string> = {},
  service: FindingOptions['service'] = OPEN,
  mail: FindingOptions['mail'] = DELIVERS,
) {
  const good = { DATABASE_URL: database.url, SESSION_SECRET: SECRET, PUBLIC_URL: 'https://app.example.com' };
  const { config } = loadConfig(accountsSettings, { ...good, ...env }, '.', false);
  const { db } = server.database;
  const found = accountsFindings({ platform: { config, db }, service, mail }).find(
    (one) => one.name === name,
  );
  return await found?.judge();
}

describe('accounts', () => {
  it('need a secret, an address, and TLS', async () => {
    expect(await judge('accounts')).toMatchObject({ status: 'pass' });
    expect(await judge('accounts', { SESSION_SECRET: '' })).toMatchObject({ remedy: 'Set SESSION_SECRET.' });
    expect(await judge('accounts', { PUBLIC_URL: 'http://app.example.com' })).toMatchObject({
      status: 'fail',
    });
  });

  it('are open to those alone who prove their address', async () => {
    expect(await judge('sign-up')).toMatchObject({ status: 'pass' });
    const unproved = await judge('sign-up', {}, { signUp: 'open', verifies: false }, { delivers: false });
    expect(unproved).toMatchObject({ status: 'fail', remedy: expect.stringContaining('SIGN_UP=invitation') });
    expect(await judge('sign-up', {}, INVITED, { delivers: false })).toMatchObject({ status: 'warn' });
    expect(await judge('sign-up', {}, INVITED, DELIVERS)).toMatchObject({ status: 'pass' });
  });

  it('have providers that are set as a whole', async () => {
    expect(await judge('providers')).toMatchObject({ status: 'pass' });
    expect(
      await judge('providers', { GITHUB_CLIENT_ID: 'id', OIDC_ISSUER: 'https://login.test' }),
    ).toMatchObject({
      status: 'warn',
      remedy: 'Set GITHUB_CLIENT_SECRET and OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.',
    });
    const whole = { GITHUB_CLIENT_ID: 'id', GITHUB_CLIENT_SECRET: 'secret' };
    expect(await judge('providers', whole)).toMatchObject({ status: 'pass' });
  });

  it('have operators, each with a second factor', async () => {
    expect(await judge('operators')).toMatchObject({
      status: 'warn',
      remedy: expect.stringContaining('admin create'),
    });
    const olga = await makeUser(database.url, 'Olga', { roles: ['operator'] });
    await makeUser(database.url, 'Otto', { roles: ['operator'], two_factor_enabled: true });
    expect(await judge('operators')).toMatchObject({
      status: 'fail',
      detail: expect.stringMatching(/^1 of 2/),
    });
    await query(
      database.url,
      `insert into passkeys (id, user_id, public_key, credential_id, counter, device_type, backed_up)
        values ('p', $1, 'k', 'c', 0, 'd', true)`,
      [olga],
    );
    expect(await judge('operators')).toMatchObject({ status: 'pass' });
  });
});

describe('the age of secrets', () => {
  it('is told by the setting, and counts from the first look', async () => {
    expect(await judge('secret-age')).toMatchObject({ status: 'pass' });
    await query(database.url, `update secrets_seen set first_seen_at = now() - interval '31 days'`);
    expect(await judge('secret-age')).toMatchObject({
      status: 'warn',
      detail: expect.stringContaining('SESSION_SECRET'),
    });
    // Another one is as old as it is, and the old one beside it still old.
    const next = SECRET.split('').reverse().join('');
    expect(await judge('secret-age', { SESSION_SECRET: next })).toMatchObject({ status: 'pass' });
    expect(await judge('secret-age', { SESSION_SECRET: `${next},${SECRET}` })).toMatchObject({
      status: 'warn',
    });
  });

  it('is kept without the secret, and without enough of a hash to confirm a guess', async () => {
    await secretsOlderThan(server.database.db, [['SESSION_SECRET', SECRET]], 30);
    const { rows } = await query(database.url, 'select fingerprint from secrets_seen');
    expect(rows).toEqual([{ fingerprint: expect.stringMatching(/^SESSION_SECRET:[0-9a-f]{12}$/) }]);
  });
});

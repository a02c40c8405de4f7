import { getAuthTables } from 'better-auth/db';
import { getTableColumns } from 'drizzle-orm';
import { expect, it } from 'vitest';
import { accountScene, SECRET } from '../../../tests/support/accounts.ts';
import { query } from '../../../tests/support/postgres.ts';
import { createPasskeyAuth } from './passkeys.ts';
import { credentials, passkeys, sessions, twoFactors, users, verifications } from './table.ts';

const TABLES = {
  user: users,
  session: sessions,
  account: credentials,
  verification: verifications,
  twoFactor: twoFactors,
  passkey: passkeys,
};

it('finds every field of better-auth in our tables, and may leave out each that is only ours', async () => {
  await using scene = await accountScene();
  const { options } = createPasskeyAuth({
    config: { sessionSecrets: [SECRET], accounts: { oidc: {}, google: {}, github: {} } } as never,
    db: scene.server.database.db,
    log: console as never,
    appName: 'test',
    origin: 'https://app.test',
    verifies: true,
    mayBegin: async () => {},
    maySignUp: async () => {},
    signedUp: async () => {},
  });
  const wanted = getAuthTables(options);
  expect(Object.keys(wanted).sort()).toEqual(Object.keys(TABLES).sort());
  for (const [model, { fields }] of Object.entries(wanted)) {
    const columns = getTableColumns(TABLES[model as keyof typeof TABLES]) as Record<
      string,
      { notNull: boolean; hasDefault: boolean }
    >;
    const named = ['id', ...Object.entries(fields).map(([key, field]) => field.fieldName ?? key)];
    expect(Object.keys(columns), model).toEqual(expect.arrayContaining(named));
    const ours = Object.entries(columns).filter(([key]) => !named.includes(key));
    expect(
      ours.filter(([, { notNull, hasDefault }]) => notNull && !hasDefault),
      model,
    ).toEqual([]);
  }
});

/** As better-auth 1.7.6 and 1.7.7 write an account by themselves: its form of a hash, of the password `correct horse battery`. */
const WRITTEN_BY_BETTER_AUTH = `
  insert into users (id, name, email, email_verified, created_at, updated_at)
    values ('nVYlbXZyBfyqpG0ZqvZ4tVZk5e0mEJ4S', 'Old Hand', 'old@example.com', true, '2026-05-01', '2026-05-01');
  insert into credentials (id, user_id, account_id, provider_id, password, created_at, updated_at)
    values ('Yq8m6kIhLJ4xk2vQv0QzV0yqT7y3p8nE', 'nVYlbXZyBfyqpG0ZqvZ4tVZk5e0mEJ4S', 'nVYlbXZyBfyqpG0ZqvZ4tVZk5e0mEJ4S',
      'credential', 'ad7bf58776a89eabfdb735d582094a89:43a615bc3cd11dc81250964c2127c794fdb8cf6ba29c14de821a92cf3354d3e1fe8aeee852661f419100a54092d604877e2e1abb10d20af4ccf97fb7f0474d53', '2026-05-01', '2026-05-01')`;

it('signs in people whose rows better-auth has written by itself', async () => {
  await using scene = await accountScene();
  await query(scene.database.url, WRITTEN_BY_BETTER_AUTH);
  const browser = scene.browser();
  const signIn = (password: string) => browser.post('/sign-in', { email: 'old@example.com', password });
  expect((await signIn('correct horse')).status).toBe(401);
  expect(await signIn('correct horse battery')).toMatchObject({ status: 200, body: { next: 'done' } });
  expect(await browser.me()).toMatchObject({ user: { email: 'old@example.com' } });
});

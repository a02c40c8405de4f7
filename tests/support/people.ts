import { randomBytes, randomUUID } from 'node:crypto';
import { hashToken, sessionCookie, signed } from '../../server/modules/accounts/flows/cookies.ts';
import { query } from './postgres.ts';

export const SESSION_SECRET = 'q7Jm2Xc9VtR4wL6zB1nPhD8sKfGyAe3uT5oCi0WxNvE';

/** Columns of `users`, by their names. */
export type UserColumns = Partial<
  Record<'roles' | 'email_verified' | 'banned_at' | 'banned_until' | 'two_factor_enabled', unknown>
>;

/** A row of a user with a verified address. @returns The id. */
export async function makeUser(url: string, name: string, columns: UserColumns = {}): Promise<string> {
  const id = randomUUID();
  await insert(url, 'users', {
    id,
    name,
    email: `${name.toLowerCase()}-${id}@example.com`,
    email_verified: true,
    ...columns,
  });
  return id;
}

/**
 * A row of a session.
 *
 * @param columns Of `sessions`, by their names.
 * @returns Its id, its token, and the cookie header of its browser.
 */
export async function makeSession(url: string, userId: string, columns: Record<string, unknown> = {}) {
  const id = randomUUID();
  const token = randomBytes(24).toString('base64url');
  await insert(url, 'sessions', {
    id,
    user_id: userId,
    token: hashToken(token),
    expires_at: new Date(Date.now() + 86_400_000),
    ...columns,
  });
  return { id, token, cookie: cookieOf(token) };
}

/** The cookie header of a browser with this token. */
export const cookieOf = (token: string, secret = SESSION_SECRET): string =>
  `${sessionCookie(false)}=${signed(token, secret)}`;

async function insert(url: string, table: string, row: Record<string, unknown>): Promise<void> {
  const names = Object.keys(row);
  const values = names.map((_, at) => `$${at + 1}`);
  await query(url, `insert into ${table} (${names}) values (${values})`, Object.values(row));
}

import { makeSession, makeUser, SESSION_SECRET } from '../support/people.ts';
import type { Visitor } from './visitor.ts';

/** The secret of all servers of the browser tests: a visitor is known to each of them. */
export const SECRET = SESSION_SECRET;

/** Makes a user who is signed in. @param url A database that has the tables. */
export async function signIn(
  url: string,
  name = 'Ada',
  columns: Record<string, unknown> = {},
): Promise<Visitor> {
  const id = await makeUser(url, name, columns);
  const { cookie } = await makeSession(url, id);
  return { id, cookie };
}

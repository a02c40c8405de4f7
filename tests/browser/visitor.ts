/** The person who looks at the pages in browser tests. */
import { SECRET, signIn } from './signed-in.ts';

/** Without accounts it is everybody. */
export interface Visitor {
  readonly id: string;
  /** The cookie header of their browser. */
  readonly cookie: string;
}

/** What every server is given. */
export const SERVER_ENV = {
  NODE_ENV: 'production',
  RATE_LIMIT_MAX: '100000',
  SESSION_SECRET: SECRET,
  // One for all that share a database.
  ENCRYPTION_KEY: 'Rt4mQ8xZ2Kd7Tn1Vw9Ly3HcFs6Ju5PgEaXo0iNzUbYp',
};

/** The first that there is. */
const VISITORS: ((url: string) => Promise<Visitor>)[] = [
  // A user who is signed in.
  signIn,
  // Everybody.
  async () => ({ id: '', cookie: '' }),
];

/** @param url A database that has the tables. */
export const makeVisitor = (url: string): Promise<Visitor> => (VISITORS[0] as (typeof VISITORS)[0])(url);

/** A visitor's browser, as Playwright keeps it. @param domain Where the server is. */
export function storageOf({ cookie }: Visitor, domain = '127.0.0.1') {
  const [, name = '', value = ''] = /^([^=]+)=(.*)$/.exec(cookie) ?? [];
  const rest = { domain, path: '/', expires: -1, httpOnly: true, secure: false };
  return { cookies: name === '' ? [] : [{ name, value, sameSite: 'Lax' as const, ...rest }], origins: [] };
}

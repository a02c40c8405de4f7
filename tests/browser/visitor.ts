import { SECRET, signIn } from './signed-in.ts';

/** Who looks at the pages. Without accounts it is everybody. */
export interface Visitor {
  readonly id: string;
  /** The cookie header of their browser. */
  readonly cookie: string;
}

/** What a server needs to know the visitor. */
export const KNOWS_VISITOR: Record<string, string> = {
  SESSION_SECRET: SECRET,
};

/** @param url A database that has the tables. */
export async function makeVisitor(url: string): Promise<Visitor> {
  const visitors: Visitor[] = [{ id: '', cookie: '' }];
  visitors.unshift(await signIn(url));
  return visitors[0] as Visitor;
}

/** A visitor's browser, as Playwright keeps it. @param domain Where the server is. */
export function storageOf({ cookie }: Visitor, domain = '127.0.0.1') {
  const [, name = '', value = ''] = /^([^=]+)=(.*)$/.exec(cookie) ?? [];
  const rest = { domain, path: '/', expires: -1, httpOnly: true, secure: false };
  return { cookies: name === '' ? [] : [{ name, value, sameSite: 'Lax' as const, ...rest }], origins: [] };
}

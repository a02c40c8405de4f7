import type { Me, readMe } from '#contracts/accounts/account.ts';
import { request } from '@/kit/lib/api.ts';
import { setVisitor } from '@/kit/shell/visitor.ts';

declare module '@/kit/shell/visitor.ts' {
  interface Visitor {
    /** Undefined until the server has said who is signed in. */
    me?: Me;
    /** Why it could not. */
    meFailure?: unknown;
  }
}

setVisitor({ userId: null });

let known: Me | undefined;
export const knownMe = () => known;

/** Asks who is signed in, and tells the shell. @throws What `request` throws. */
export async function loadMe(): Promise<Me> {
  try {
    const me = await request<typeof readMe>('GET', '/api/me');
    known = me;
    setVisitor({
      me,
      meFailure: undefined,
      isOperatorInPerson: me.isOperator,
      isAnonymous: me.user === null,
      userId: me.user?.id ?? null,
    });
    return me;
  } catch (error) {
    setVisitor({ meFailure: error });
    throw error;
  }
}

/** The same path, where it is one of this server: `//other.example` is not. */
const ownPath = (path: unknown): string =>
  typeof path === 'string' &&
  path.startsWith('/') &&
  new URL(path, location.origin).origin === location.origin
    ? path
    : '/';

/** Goes on with a page that is loaded anew: nothing in memory is left of who was here before. */
export const goOn = (path?: unknown) => location.replace(ownPath(path));

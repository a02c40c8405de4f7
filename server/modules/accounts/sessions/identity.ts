import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../../../platform/lib/problem.ts';
import type { Identity, Scope } from '../../../platform/parts.ts';
import { OPERATOR, type Roles } from '../roles.ts';
import type { SessionCheck, SessionRow } from './session-check.ts';

/** In milliseconds. What an operator may do ends so long after the last sign-in; the session goes on as a user's. */
const OPERATOR_MS = 3_600_000;
/** In milliseconds: how recent a sign-in must be for acts of operators and changes of credentials. */
const RECENT_MS = 10 * 60_000;

declare module '../../../platform/parts.ts' {
  interface Scope {
    /** The user's session. Undefined for a program with an API key of the user. */
    readonly session?: SessionScope;
  }
}

export interface SessionScope {
  readonly id: string;
  readonly expiresAt: Date;
  /** The last time that credentials were shown. */
  readonly authenticatedAt: Date;
  /** An operator, whose sign-in is not older than an hour, with a second factor where operators need one. */
  readonly isOperator: boolean;
  /** The operator who acts as this user. */
  readonly impersonatedBy: { readonly id: string; readonly name: string } | null;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Of a route of accounts: it also serves an operator who acts as the user, though never with an API key. */
    whileImpersonated?: boolean;
  }
}

export interface IdentityOptions {
  sessions: SessionCheck;
  roles: Roles;
  /** The session cookie's name, for the API's description. */
  cookieName: string;
  /** Whether a user must have shown that the address is theirs. */
  requireVerified: boolean;
  /** `REQUIRE_MFA=operators` */
  operatorsNeedSecondFactor: boolean;
  /** Recognises programs by API keys in `Authorization`. Undefined where there is none, such as for another kind of key. */
  keys?: Pick<Identity, 'identify'> | undefined;
}

/** Tells who asks: a person by a session, or a program by an API key. */
export function accountsIdentity(options: IdentityOptions): Identity {
  const { sessions, roles, cookieName, requireVerified, operatorsNeedSecondFactor, keys } = options;
  /** A row of the cache stays the same object, and so does its scope. */
  const scopes = new WeakMap<SessionRow, { readonly scope: Scope; readonly until: number }>();

  const lacksSecondFactor = ({ twoFactor }: SessionRow) => operatorsNeedSecondFactor && !twoFactor;

  function scopeOf(row: SessionRow): Scope {
    const known = scopes.get(row);
    if (known !== undefined && Date.now() < known.until) return known.scope;
    const mayOperate = row.roles.includes(OPERATOR) && !lacksSecondFactor(row);
    const isOperatorUntil = mayOperate ? row.authenticatedAt.getTime() + OPERATOR_MS : 0;
    const isOperator = Date.now() < isOperatorUntil && row.impersonatedBy === null;
    const { userId, id, expiresAt, authenticatedAt, impersonatedBy } = row;
    const scope: Scope = {
      userId,
      permissions: roles.permissionsOf(
        isOperator ? [OPERATOR] : row.roles.filter((role) => role !== OPERATOR),
      ),
      session: { id, expiresAt, authenticatedAt, isOperator, impersonatedBy },
    };
    scopes.set(row, { scope, until: isOperator ? isOperatorUntil : Number.POSITIVE_INFINITY });
    return scope;
  }

  function admitted(row: SessionRow | undefined): SessionRow | undefined {
    if (row !== undefined) assertMaySignIn(row, requireVerified);
    return row;
  }

  function bySession({ headers }: FastifyRequest): Scope | undefined | Promise<Scope | undefined> {
    const scope = (row: SessionRow | undefined) => row && scopeOf(row);
    const found = sessions.find(headers.cookie);
    return found instanceof Promise ? found.then((row) => scope(admitted(row))) : scope(admitted(found));
  }

  return {
    identify(request, permission) {
      if (request.headers.authorization === undefined || keys === undefined) return bySession(request);
      return Promise.resolve(keys.identify(request, permission)).then(
        (program) => program ?? bySession(request),
      );
    },
    async identifyOperator(request) {
      // As a cookie with SameSite=Strict would do: links of other sites lead to no operator's route.
      if (request.headers['sec-fetch-site'] === 'cross-site') return undefined;
      const row = admitted(await sessions.find(request.headers.cookie));
      if (row === undefined) return undefined;
      if (row.impersonatedBy !== null || !row.roles.includes(OPERATOR)) {
        throw new ProblemError('forbidden', 'Only operators may do this.');
      }
      if (lacksSecondFactor(row)) {
        throw new ProblemError(
          'forbidden',
          'Operators need a second factor here. Set one up in your account first.',
        );
      }
      const scope = scopeOf(row);
      if (!scope.session?.isOperator) throw signInOnceMore();
      return scope;
    },
    securitySchemes: {
      signedIn: { type: 'apiKey', in: 'cookie', name: cookieName, description: 'A session of a user' },
      ...(keys && { userKey: { type: 'http', scheme: 'bearer', description: 'An API key of a user' } }),
    },
  };
}

/** @throws ProblemError `forbidden` where the user is banned, or must verify the address first. */
export function assertMaySignIn(
  { bannedAt, bannedUntil, emailVerified }: Pick<SessionRow, 'bannedAt' | 'bannedUntil' | 'emailVerified'>,
  requireVerified: boolean,
): void {
  if (bannedAt !== null && (bannedUntil === null || bannedUntil.getTime() > Date.now())) {
    throw new ProblemError('forbidden', 'This account is banned.');
  }
  if (requireVerified && !emailVerified) {
    throw new ProblemError('forbidden', 'Verify your email address first: open the link in the email.');
  }
}

/** @returns Until when acts that need a recent sign-in are open. */
export const recentUntil = (authenticatedAt: Date): Date => new Date(authenticatedAt.getTime() + RECENT_MS);

const signInOnceMore = () => new ProblemError('reauthenticate', 'Sign in once more, then try again.');

/**
 * For acts of operators and changes of credentials: the sign-in must not be older than 10 minutes. A program with a key of
 * `INTERNAL_API_KEY` shows it with each request.
 *
 * @throws ProblemError `reauthenticate` (401); the client signs in once more, and sends the same again.
 */
export function requireRecentSignIn(request: FastifyRequest): void {
  const { scope, operatorSession } = request;
  const at = scope?.session?.authenticatedAt ?? (operatorSession && new Date(operatorSession.signedInAt));
  if (scope === undefined && at === undefined) return;
  if (at === undefined || recentUntil(at) < new Date()) throw signInOnceMore();
}

/**
 * Of all routes of accounts: only the user, in person. A program with an API key is refused, and so is an operator who acts as the
 * user, unless the route says `whileImpersonated`. So a new route is safe.
 */
export const inPerson = fp(async (app) => {
  app.addHook('onRoute', (route) => {
    if (route.config?.access === 'public') return;
    route.onRequest = [
      ...[route.onRequest ?? []].flat(),
      (request, _reply, done) => {
        const { scope } = request;
        const session = scope?.session;
        if (scope !== undefined && session === undefined) {
          done(new ProblemError('forbidden', 'An API key may not do this: sign in.'));
        } else if (session?.impersonatedBy && route.config?.whileImpersonated !== true) {
          done(new ProblemError('forbidden', 'An operator who acts as a user may not do this.'));
        } else done();
      },
    ];
  });
});

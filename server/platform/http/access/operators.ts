/**
 * Operators hold a key of `INTERNAL_API_KEY`, or a session in a browser that was exchanged for one; or they are users whom the
 * application's `Identity` recognises as operators.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from '../../lib/problem.ts';
import type { Identity, Scope } from '../../parts.ts';
import { type AccessRule, type Answer, setScope } from './access.ts';
import { type OperatorSession, OperatorSessions } from './operator-sessions.ts';

/** How an operator identifies, by key or by session. An expired session is absent, not wrong. */
export type OperatorKey = 'absent' | 'wrong' | 'right';

declare module 'fastify' {
  interface FastifyRequest {
    /** Computed at each access. */
    readonly operatorKey: OperatorKey;
    /** The operator's session in this browser; computed at each access. */
    readonly operatorSession: OperatorSession | undefined;
  }
  interface FastifyInstance {
    operators: Operators;
  }
}

/** Signing in and out. */
export interface Operators {
  /** @returns Why this request cannot sign in, and what to set; undefined where it can. */
  closed(request: FastifyRequest): ProblemError | undefined;
  /** Compares in constant time. @returns Whether it is a key of `INTERNAL_API_KEY`. */
  isKey(key: string): boolean;
  /**
   * Begins a session in the client's browser.
   *
   * @param key The operators' key; absent where a sign-in token was redeemed.
   * @returns Undefined where the key is wrong.
   */
  signIn(reply: FastifyReply, key?: string): OperatorSession | undefined;
  /** Ends the session of this browser, with all copies of its cookie, in this process at once. */
  signOut(reply: FastifyReply): void;
  /** @param listener Called for each session that is signed out. */
  onSignOut(listener: (session: OperatorSession) => undefined): void;
}

export interface OperatorOptions {
  /** The operators' keys; empty: nobody is admitted. */
  keys: readonly string[];
  /** Sign sessions; empty: there are none. */
  sessionSecrets?: readonly string[];
  /** Whether operators may sign in over plain HTTP, where the key and the session can be read in transit. */
  allowHttpSignIn?: boolean;
  /** Recognises users, and operators among them. */
  identity?: Identity | undefined;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest();

/**
 * Compares in constant time: hashes, which are equally long whatever was sent, and always with all keys. So the time taken
 * tells neither how much of a key was right nor which one it was.
 *
 * @param keys The valid keys.
 * @returns Finds the index of a key; -1 where it is not valid.
 */
function keyFinder(keys: readonly string[]): (given: string) => number {
  const hashes = keys.map(sha256);
  return (given) => {
    const hash = sha256(given);
    let found = -1;
    for (const [index, known] of hashes.entries()) if (timingSafeEqual(known, hash)) found = index;
    return found;
  };
}

/** The key that was sent in `X-API-Key` or in `Authorization: Bearer`. */
function keyIn({ headers }: FastifyRequest): string | undefined {
  const { authorization, 'x-api-key': apiKey } = headers;
  if (typeof apiKey === 'string') return apiKey;
  return authorization === undefined ? undefined : /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
}

/**
 * The cookie that holds a session.
 *
 * `Path=/api` keeps it away from pages and files, which caches may hold; that rules out the prefix `__Host-`, which
 * requires `Path=/`. Over TLS it has `__Secure-`, which no page without TLS can set. A prefix guards against a foreign
 * value in the cookie; here such a value is not signed, so it admits nobody.
 */
const cookieName = ({ protocol }: FastifyRequest) =>
  protocol === 'https' ? '__Secure-operator' : 'operator';

function cookie(request: FastifyRequest, value: string, seconds: number): string {
  const secure = request.protocol === 'https' ? '; Secure' : '';
  return `${cookieName(request)}=${value}; Path=/api; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`;
}

/** Another host of the site can set more cookies of the same name, which must not hide the right one. */
const MAX_COOKIES = 5;

function valuesOf(header: string, name: string): string[] {
  const pairs = header.split(';').map((pair) => pair.trim());
  const own = pairs.filter((pair) => pair.startsWith(`${name}=`));
  return own.slice(0, MAX_COOKIES).map((pair) => pair.slice(name.length + 1));
}

/**
 * Recognises operators, and signs them in and out.
 *
 * @returns The access rule of operators' routes.
 */
export function operatorAccess(app: FastifyInstance, options: OperatorOptions): AccessRule {
  const { keys, sessionSecrets = [], allowHttpSignIn = false, identity } = options;
  const find = keyFinder(keys);
  const missing = whatIsMissing(keys, sessionSecrets);
  const onSignOut = new Set<(session: OperatorSession) => undefined>();
  const sessions = new OperatorSessions(keys, sessionSecrets);

  app.decorateRequest('operatorSession', {
    getter(this: FastifyRequest) {
      const { cookie: header } = this.headers;
      if (header === undefined || missing !== undefined) return undefined;
      const now = Date.now();
      for (const value of valuesOf(header, cookieName(this))) {
        const session = sessions.read(value, now);
        if (session !== undefined) return session;
      }
      return undefined;
    },
  });
  app.decorateRequest('operatorKey', {
    getter(this: FastifyRequest) {
      const given = keyIn(this);
      if (given !== undefined) return find(given) === -1 ? 'wrong' : 'right';
      return this.operatorSession === undefined ? 'absent' : 'right';
    },
  });
  const closed: Operators['closed'] = (request) => {
    if (missing !== undefined) return new ProblemError('unavailable', missing);
    if (allowHttpSignIn || request.protocol === 'https' || LOOPBACK.test(request.hostname)) return undefined;
    return new ProblemError('forbidden', OVER_HTTP);
  };
  app.decorate('operators', {
    closed,
    isKey: (key) => find(key) !== -1,
    signIn(reply, key) {
      const index = key === undefined ? 0 : find(key);
      if (closed(reply.request) !== undefined || index === -1) return undefined;
      const { session, value } = sessions.begin(index, Date.now());
      setSession(reply, session, value);
      return session;
    },
    signOut(reply) {
      const session = reply.request.operatorSession;
      reply.header('set-cookie', cookie(reply.request, '', 0));
      if (session === undefined) return;
      sessions.end(session, Date.now());
      for (const listener of onSignOut) listener(session);
    },
    onSignOut(listener) {
      onSignOut.add(listener);
    },
  });

  function setSession(reply: Answer, { expiresAt }: { expiresAt: number }, value: string): void {
    const seconds = Math.ceil((expiresAt - Date.now()) / 1_000);
    reply.header('set-cookie', cookie(reply.request, value, seconds));
  }

  return (request, reply) => {
    const given = keyIn(request);
    if (given !== undefined && find(given) !== -1) return;
    const session = given === undefined ? request.operatorSession : undefined;
    if (session !== undefined) {
      const renewed = sessions.renew(session, Date.now());
      if (renewed !== undefined) setSession(reply, renewed.session, renewed.value);
      return;
    }
    if (given === undefined && identity?.identifyOperator)
      return byPerson(identity.identifyOperator(request), request);
    throw refusal(request, given);
  };

  async function byPerson(
    identified: Promise<Scope | undefined>,
    request: FastifyRequest,
  ): Promise<undefined> {
    const scope = await identified;
    if (scope === undefined) throw refusal(request);
    setScope(request, scope);
  }

  function refusal(request: FastifyRequest, given?: string): ProblemError {
    const challenge = `Bearer realm="operators"${given === undefined ? '' : ', error="invalid_token"'}`;
    const elsewhere = request.routeOptions.url === '/metrics' ? WITHOUT_KEY : '';
    return new ProblemError('unauthorized', whyNot(given !== undefined, keys.length > 0) + elsewhere, {
      headers: { 'www-authenticate': challenge },
    });
  }
}

function whatIsMissing(keys: readonly string[], secrets: readonly string[]): string | undefined {
  const missing = [
    ...(keys.length > 0 ? [] : ['INTERNAL_API_KEY']),
    ...(secrets.length > 0 ? [] : ['SESSION_SECRET']),
  ];
  if (missing.length === 0) return undefined;
  return `Set ${missing.join(' and ')}, then restart the server.`;
}

/** Hosts that a browser reaches without a network: a development server, or the local end of a tunnel. */
const LOOPBACK = /^(?:(?:.+\.)?localhost\.?|127(?:\.\d{1,3}){3}|\[::1\])$/i;
const OVER_HTTP =
  'Signing in needs HTTPS: over plain HTTP the key and the session can be read in transit. Open this page over https://. If a proxy ' +
  'terminates TLS before this server, set TRUST_PROXY to its address. ALLOW_HTTP_SIGN_IN=true allows it anyway.';

const WITHOUT_KEY = ' Scrapers are answered without a key on a port of their own: set METRICS_PORT.';

function whyNot(given: boolean, open: boolean): string {
  if (!open)
    return 'Only operators may do this, and no key is set. Set INTERNAL_API_KEY, then restart the server.';
  if (given) return 'This key is not one of those in INTERNAL_API_KEY.';
  return 'Only operators may do this. Send a key of INTERNAL_API_KEY as Authorization: Bearer, or as X-API-Key.';
}

import { randomBytes, randomUUID } from 'node:crypto';
import { and, eq, gt, inArray, ne, sql } from 'drizzle-orm';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Transaction } from '../../../platform/database/transaction.ts';
import type { AccountService, SessionRow } from '../service.ts';
import { requireRecentSignIn } from '../sessions/identity.ts';
import { sessions } from '../table.ts';
import { unauthorized } from './call-auth.ts';
import { cookiePrefix, hashToken, operatorCookie, readSigned, sessionCookie, signed } from './cookies.ts';

/** @returns The session by which the request was admitted, as its row is now; of two cookies the other may be read here. */
export async function ownSession(service: AccountService, request: FastifyRequest): Promise<SessionRow> {
  const token = readSigned(request.headers.cookie, sessionCookie(service.secure), service.secrets);
  const [session] = await service.options.db
    .select()
    .from(sessions)
    .where(and(eq(sessions.token, hashToken(token ?? '')), gt(sessions.expiresAt, sql`now()`)));
  if (session === undefined || session.id !== request.scope?.session?.id)
    throw unauthorized('Sign in first.');
  return session;
}

/** As `ownSession`, after `requireRecentSignIn`. */
export async function recentSession(service: AccountService, request: FastifyRequest): Promise<SessionRow> {
  requireRecentSignIn(request);
  return ownSession(service, request);
}

/**
 * Begins a session apart from better-auth.
 *
 * @returns Its token, for `sendSession`.
 */
export async function newSession(
  tx: Transaction,
  { ip, headers }: FastifyRequest,
  row: Omit<typeof sessions.$inferInsert, 'id' | 'token'>,
): Promise<string> {
  const token = randomBytes(24).toString('base64url');
  const userAgent = headers['user-agent'] ?? '';
  await tx
    .insert(sessions)
    .values({ ...row, id: randomUUID(), token: hashToken(token), ipAddress: ip, userAgent });
  return token;
}

/**
 * A new token for a session, at a sign-in or a change of credentials: one that was known before is worth nothing now.
 *
 * @param shown Whether credentials were shown for it: without, a sign-in does not become more recent.
 */
export async function rotateSession(
  tx: Transaction,
  { id }: Pick<SessionRow, 'id'>,
  shown: 'credentials' | 'none' = 'none',
): Promise<string> {
  const token = randomBytes(24).toString('base64url');
  const now = sql`now()`;
  await tx
    .update(sessions)
    .set({
      token: hashToken(token),
      updatedAt: now,
      ...(shown === 'credentials' && { authenticatedAt: now }),
    })
    .where(eq(sessions.id, id));
  return token;
}

/** Sends the cookie of a session, with the lifetime that the sign-in gave it. */
export function sendSession(
  service: AccountService,
  request: FastifyRequest,
  reply: FastifyReply,
  token: string,
  { expiresAt }: Pick<SessionRow, 'expiresAt'>,
): void {
  const { secure, secrets } = service;
  const forgets = readSigned(request.headers.cookie, `${cookiePrefix(secure)}.dont_remember`, secrets);
  const seconds = Math.ceil((expiresAt.getTime() - Date.now()) / 1_000);
  const value = signed(token, secrets[0] as string);
  setCookie(service, reply, sessionCookie(secure), value, forgets ? undefined : seconds);
}

/** @returns The token of the session whose cookie this answer sends, if it does. */
export function sessionSent({ secure, secrets }: AccountService, reply: FastifyReply): string | undefined {
  const cookies = [reply.getHeader('set-cookie') ?? []].flat().map((one) => String(one).split(';', 1)[0]);
  return readSigned(cookies.join(';'), sessionCookie(secure), secrets);
}

export function clearSession(service: AccountService, reply: FastifyReply): void {
  const { secure } = service;
  for (const name of [sessionCookie(secure), operatorCookie(secure), `${cookiePrefix(secure)}.dont_remember`])
    setCookie(service, reply, name, '', 0);
}

/** @param seconds Until the browser closes where it is absent. */
export function setCookie(
  service: AccountService,
  reply: FastifyReply,
  name: string,
  value: string,
  seconds?: number,
): void {
  const age = seconds === undefined ? '' : `; Max-Age=${seconds}`;
  const secure = service.secure ? '; Secure' : '';
  reply.header('set-cookie', `${name}=${value}; Path=/${age}; HttpOnly; SameSite=Lax${secure}`);
}

/** Ends sessions of a user, on every replica. @param but The id of one that goes on. */
export async function endSessions(
  service: AccountService,
  tx: Transaction,
  userId: string,
  but?: string,
): Promise<void> {
  await tx
    .delete(sessions)
    .where(and(eq(sessions.userId, userId), but === undefined ? undefined : ne(sessions.id, but)));
  service.sessionsChanged(tx, userId);
}

/** A sign-in has succeeded, all steps included. */
export async function signedIn(service: AccountService, request: FastifyRequest): Promise<void> {
  service.figures.signedIn();
  await endPrior(service, request);
}

/** Ends the old session of a browser that signs in again or out, and that of an operator who acted as a user there. */
export async function endPrior(service: AccountService, { headers }: FastifyRequest): Promise<void> {
  const { secure, secrets } = service;
  const prior = [sessionCookie(secure), operatorCookie(secure)]
    .map((name) => readSigned(headers.cookie, name, secrets))
    .filter((token) => token !== undefined);
  if (prior.length === 0) return;
  await service.options.database.transaction(async (tx) => {
    const ended = await tx
      .delete(sessions)
      .where(inArray(sessions.token, prior.map(hashToken)))
      .returning({ userId: sessions.userId });
    for (const { userId } of ended) service.sessionsChanged(tx, userId);
  });
}

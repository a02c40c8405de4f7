import { randomBytes, randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { eq, sql } from 'drizzle-orm';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  beginTwoFactor,
  confirmTwoFactor,
  endTwoFactor,
  renewRecoveryCodes,
} from '#contracts/accounts/two-factor.ts';
import { secretText } from '../../../platform/database/encryption/encrypted-text.ts';
import { ProblemError, unavailable } from '../../../platform/lib/problem.ts';
import type { AccountService } from '../service.ts';
import { sessions, twoFactors, users, verificationExpired, verifications } from '../table.ts';
import { callAuth, unauthorized } from './call-auth.ts';
import { hashToken } from './cookies.ts';
import { encodeRecoveryCodes, makeRecoveryCodes } from './recovery-codes.ts';
import { recentSession, rotateSession, sendSession, sessionSent } from './sessions.ts';

const own = { config: { access: 'user', cors: false } } as const;
const guessed = { config: { access: 'user', cors: false, limit: 'sign-in' } } as const;

/** A code is valid for 90 s, with the one before and the one after; it is remembered a little longer. */
const CODE_MS = 120_000;

/** An authenticator app (RFC 6238) and recovery codes. better-auth checks codes and counts wrong ones. */
export const twoFactorRoutes: FastifyPluginAsyncTypebox<{ service: AccountService }> = async (
  app,
  { service },
) => {
  const { db, database, people, log, about } = service.options;

  app.route({
    ...beginTwoFactor,
    ...own,
    async handler(request) {
      if (!service.twoFactor) throw unavailable('Set ENCRYPTION_KEY, then restart the server.');
      const { userId } = await recentSession(service, request);
      const user = await service.user(userId);
      if (user.twoFactorEnabled)
        throw new ProblemError('conflict', 'There is an authenticator app already. Turn it off first.');
      const secret = randomBytes(20);
      const base32 = toBase32(secret);
      const { seal } = await import('../auth.ts');
      // better-auth takes the bytes of a text for the secret.
      const sealed = secretText(await seal(await service.auth(), base32));
      const row = { secret: sealed, backupCodes: '[]', verified: false };
      await database.transaction(async (tx) => {
        await tx.delete(twoFactors).where(eq(twoFactors.userId, userId));
        await tx.insert(twoFactors).values({ id: randomUUID(), userId, ...row });
      });
      const shown = toBase32(Buffer.from(base32));
      const label = encodeURIComponent(`${about.name}:${user.email}`);
      const query = new URLSearchParams({ secret: shown, issuer: about.name, digits: '6', period: '30' });
      return { uri: `otpauth://totp/${label}?${query}`, secret: shown };
    },
  });

  app.route({
    ...confirmTwoFactor,
    ...guessed,
    async handler(request, reply) {
      const { userId, authenticatedAt, expiresAt } = await recentSession(service, request);
      await verifyCode(service, request, reply, request.body.code, 'signed-in');
      const recoveryCodes = await setRecoveryCodes(userId);
      await database.transaction(async (tx) => {
        // better-auth has begun a new session; a code shows nothing where the same person chose the secret.
        const begun = sessionSent(service, reply);
        if (begun !== undefined)
          await tx
            .update(sessions)
            .set({ authenticatedAt, expiresAt })
            .where(eq(sessions.token, hashToken(begun)));
        service.sessionsChanged(tx, userId);
      });
      log.info({ userId }, 'two-factor authentication was turned on');
      return { recoveryCodes };
    },
  });

  app.route({
    ...renewRecoveryCodes,
    ...own,
    async handler(request) {
      const { userId } = await recentSession(service, request);
      return { recoveryCodes: await setRecoveryCodes(userId) };
    },
  });

  async function setRecoveryCodes(userId: string): Promise<string[]> {
    const codes = makeRecoveryCodes();
    const changed = await db
      .update(twoFactors)
      .set({ backupCodes: encodeRecoveryCodes(JSON.stringify(codes)) })
      .where(eq(twoFactors.userId, userId))
      .returning({ id: twoFactors.id });
    if (changed.length === 0) throw new ProblemError('conflict', 'There is no second factor yet.');
    return codes;
  }

  app.route({
    ...endTwoFactor,
    ...own,
    async handler(request, reply) {
      const session = await recentSession(service, request);
      const { userId } = session;
      const token = await database.transaction(async (tx) => {
        const [user] = await tx
          .update(users)
          .set({ twoFactorEnabled: false, updatedAt: sql`now()` })
          .where(eq(users.id, userId))
          .returning();
        await tx.delete(twoFactors).where(eq(twoFactors.userId, userId));
        service.sessionsChanged(tx, userId);
        if (user) await service.send(tx, people.mails.twoFactorOff, user.email, service.to(user), request);
        return rotateSession(tx, session);
      });
      sendSession(service, request, reply, token, session);
      log.info({ userId }, 'two-factor authentication was turned off');
      return reply.code(204).send(null);
    },
  });
};

/**
 * Checks a code of the authenticator app, and uses it up: RFC 6238 (5.2) forbids a second use.
 *
 * @param as `fresh`: the second step of a sign-in; `signed-in`: of the session's user.
 * @throws ProblemError `unauthorized`.
 */
export async function verifyCode(
  service: AccountService,
  request: FastifyRequest,
  reply: FastifyReply,
  code: string,
  as: 'fresh' | 'signed-in',
): Promise<void> {
  const { db } = service.options;
  await callAuth(
    service,
    request,
    reply,
    async ({ api }, headers) => {
      const answer = await api.verifyTOTP({ headers, body: { code }, returnHeaders: true });
      const row = {
        id: `totp:${answer.response.user.id}:${code}`,
        identifier: 'totp',
        value: '',
        expiresAt: new Date(Date.now() + CODE_MS),
      };
      const first = await db
        .insert(verifications)
        .values(row)
        .onConflictDoUpdate({
          target: verifications.id,
          set: row,
          setWhere: verificationExpired,
        })
        .returning({ id: verifications.id });
      if (first.length > 0) return answer;
      if (as === 'fresh')
        await db.delete(sessions).where(eq(sessions.token, hashToken(answer.response.token)));
      throw unauthorized('This code was used. Wait for the next one.');
    },
    as,
  );
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648, without padding. */
function toBase32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? [])
    .map((five) => ALPHABET[Number.parseInt(five.padEnd(5, '0'), 2)])
    .join('');
}

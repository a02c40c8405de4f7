import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { eq } from 'drizzle-orm';
import { endImpersonation, impersonate } from '#contracts/accounts/admin.ts';
import { ProblemError } from '../../../platform/lib/problem.ts';
import { operatorCookie, readSigned, sessionCookie, signed } from '../flows/cookies.ts';
import { clearSession, newSession, sendSession, setCookie } from '../flows/sessions.ts';
import { OPERATOR } from '../roles.ts';
import type { AccountService } from '../service.ts';
import { assertMaySignIn, requireRecentSignIn } from '../sessions/identity.ts';
import type { SessionCheck } from '../sessions/session-check.ts';
import { sessions, users } from '../table.ts';
import { operators } from './admin-routes.ts';
import { noUser } from './user-queries.ts';

/** In seconds. */
const IMPERSONATION_SECONDS = 3_600;

/** An operator acts as a user: in a session of its own, beside which the operator's own goes on. */
export const impersonationRoutes: FastifyPluginAsyncTypebox<{
  service: AccountService;
  check: SessionCheck;
}> = async (app, { service, check }) => {
  const { db, database } = service.options;
  const ownCookie = operatorCookie(service.secure);

  app.route({
    ...impersonate,
    ...operators,
    async handler(request, reply) {
      const { scope, params, body } = request;
      const own = readSigned(request.headers.cookie, sessionCookie(service.secure), service.secrets);
      if (scope?.session === undefined || own === undefined) {
        throw new ProblemError('forbidden', 'Only an operator who is signed in as a person may do this.');
      }
      requireRecentSignIn(request);
      const [user] = await db.select().from(users).where(eq(users.id, params.id));
      if (user === undefined) throw noUser(params.id);
      if (user.roles.includes(OPERATOR))
        throw new ProblemError('forbidden', 'Nobody may act as an operator.');
      // Else each request would be refused, the way back as well.
      assertMaySignIn(user, service.verifies);
      const expiresAt = new Date(Date.now() + IMPERSONATION_SECONDS * 1_000);
      const token = await database.transaction((tx) =>
        newSession(tx, request, {
          userId: user.id,
          expiresAt,
          // Whatever needs a recent sign-in is not for it.
          authenticatedAt: new Date(0),
          impersonatedBy: scope.userId,
          impersonationReason: body.reason,
        }),
      );
      setCookie(service, reply, ownCookie, signed(own, service.secrets[0] as string), IMPERSONATION_SECONDS);
      sendSession(service, request, reply, token, { expiresAt });
      request.log.info({ actor: scope.userId, target: user.id }, 'an operator began to act as a user');
      return reply.code(204).send(null);
    },
  });

  app.route({
    ...endImpersonation,
    config: { access: 'user', cors: false, whileImpersonated: true },
    async handler(request, reply) {
      const { userId, session } = request.scope ?? {};
      if (!userId || !session?.impersonatedBy)
        throw new ProblemError('conflict', 'You are yourself already.');
      await database.transaction(async (tx) => {
        await tx.delete(sessions).where(eq(sessions.id, session.id));
        service.sessionsChanged(tx, userId);
      });
      const own = readSigned(request.headers.cookie, ownCookie, service.secrets);
      const row = own && (await check.read(own));
      setCookie(service, reply, ownCookie, '', 0);
      if (own && row && row.userId === session.impersonatedBy.id && row.impersonatedBy === null) {
        sendSession(service, request, reply, own, row);
      } else clearSession(service, reply);
      request.log.info(
        { actor: session.impersonatedBy.id, target: userId },
        'an operator ended to act as a user',
      );
      return reply.code(204).send(null);
    },
  });
};

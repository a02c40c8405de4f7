import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { eq, sql } from 'drizzle-orm';
import {
  type Account,
  changeAccount,
  changeEmail,
  changePassword,
  type Me,
  readAccount,
  readMe,
  reauthenticate,
} from '#contracts/accounts/account.ts';
import { ProblemError } from '../../../platform/lib/problem.ts';
import type { Identity, Scope } from '../../../platform/parts.ts';
import type { FirstOperator } from '../first-operator.ts';
import type { AccountService } from '../service.ts';
import { recentUntil } from '../sessions/identity.ts';
import { credentials, users } from '../table.ts';
import { unauthorized } from './call-auth.ts';
import { evenTime, MAIL_ONLY_MS } from './even-time.ts';
import { assertNewPassword, hashFirst, hashPassword, verifyPassword } from './passwords.ts';
import { endSessions, ownSession, recentSession, rotateSession, sendSession } from './sessions.ts';
import { passwordOf, setPassword } from './sign-up.ts';
import type { AccountThrottle } from './throttle.ts';
import { mailLink } from './tokens.ts';
import { verifyCode } from './two-factor-routes.ts';

const own = { config: { access: 'user', cors: false } } as const;
const guessed = { config: { access: 'user', cors: false, limit: 'sign-in' } } as const;

export const accountRoutes: FastifyPluginAsyncTypebox<{
  service: AccountService;
  identity: Identity;
  throttle: AccountThrottle;
  first: FirstOperator;
}> = async (app, { service, identity, throttle, first }) => {
  const { db, database, people, log } = service.options;

  app.route({
    ...readMe,
    config: { access: 'public', cors: false },
    async handler(request) {
      const { twoFactor, passkeys, providers } = service;
      const offers = {
        signUp: service.signUp,
        providers,
        passkeys,
        twoFactor,
        profile: people.profile,
        setup: await first.canSetUp(),
      };
      // A visitor without a cookie costs nothing.
      const scope = await (async () => identity.identify(request))().catch(onlyRefused);
      const closed = service.closed && { closed: service.closed.message };
      return { ...(scope?.session ? await me(scope) : NOBODY), ...closed, offers };
    },
  });

  async function me({ userId, permissions, session }: Scope): Promise<Omit<Me, 'offers'>> {
    const { id, name, email, emailVerified } = await service.user(userId);
    const impersonation = session?.impersonatedBy && {
      by: session.impersonatedBy.name,
      until: session.expiresAt.toISOString(),
    };
    const until = session && recentUntil(session.authenticatedAt);
    return {
      user: { id, name, email, emailVerified },
      permissions: [...(permissions ?? [])],
      isOperator: session?.isOperator === true,
      impersonation: impersonation ?? null,
      recentUntil: until && until > new Date() ? until.toISOString() : null,
    };
  }

  async function account(userId: string): Promise<Account> {
    const [user] = await db
      .select({ user: users, password: credentials.id })
      .from(users)
      .leftJoin(credentials, passwordOf(userId))
      .where(eq(users.id, userId));
    if (!user) throw unauthorized('Sign in first.');
    const { id, name, email, emailVerified, profile, roles, twoFactorEnabled, createdAt } = user.user;
    return {
      id,
      name,
      email,
      emailVerified,
      profile,
      roles,
      hasPassword: user.password !== null,
      twoFactor: twoFactorEnabled === true,
      createdAt: createdAt.toISOString(),
    };
  }

  app.route({
    ...readAccount,
    config: { ...own.config, whileImpersonated: true },
    handler: ({ scope }) => account(scope?.userId as string),
  });

  app.route({
    ...changeAccount,
    ...own,
    async handler({ scope, body }) {
      const userId = scope?.userId as string;
      await database.transaction(async (tx) => {
        const user = await service.user(userId, tx, 'update');
        // What the adopter's schema does not have any more goes.
        const kept = Object.entries(user.profile).filter(([key]) => key in people.profile.properties);
        const merged = Object.entries({ ...Object.fromEntries(kept), ...body.profile });
        const profile = await service.checkedProfile(
          Object.fromEntries(merged.filter(([, value]) => value !== null)),
        );
        const name = body.name?.trim() ?? user.name;
        await tx.update(users).set({ name, profile, updatedAt: sql`now()` }).where(eq(users.id, userId));
        service.sessionsChanged(tx, userId);
      });
      return account(userId);
    },
  });

  app.route({
    ...reauthenticate,
    ...guessed,
    async handler(request, reply) {
      const session = await ownSession(service, request);
      const user = await service.user(session.userId);
      const attempt = throttle.begin(request, reply, user.email);
      const [row] = await db.select().from(credentials).where(passwordOf(user.id));
      if (!row?.password) throw unauthorized('This account has no password: sign out, and in again.');
      const hashed = row.password;
      const isRight = await attempt.check(() => verifyPassword(request.body.password, hashed));
      if (!isRight) throw unauthorized('The password is wrong.');
      if (user.twoFactorEnabled) {
        const { code } = request.body;
        if (code === undefined) throw unauthorized('Enter the code of your authenticator app, too.');
        await verifyCode(service, request, reply, code, 'signed-in');
      }
      attempt.succeeded();
      const token = await database.transaction(async (tx) => {
        service.sessionsChanged(tx, user.id);
        return rotateSession(tx, session, 'credentials');
      });
      sendSession(service, request, reply, token, session);
      return { recentUntil: recentUntil(new Date()).toISOString() };
    },
  });

  app.route({
    ...changePassword,
    ...own,
    async handler(request, reply) {
      const session = await recentSession(service, request);
      const user = await service.user(session.userId);
      const { password } = request.body;
      assertNewPassword(password, [user.name, user.email]);
      const hash = await hashFirst(user.id, () => hashPassword(password));
      const token = await database.transaction(async (tx) => {
        await setPassword(tx, user.id, hash);
        await endSessions(service, tx, user.id, session.id);
        await service.send(tx, people.mails.passwordChanged, user.email, service.to(user), request);
        return rotateSession(tx, session);
      });
      sendSession(service, request, reply, token, session);
      log.info({ userId: user.id }, 'a password was changed');
      return reply.code(204).send(null);
    },
  });

  app.route({
    ...changeEmail,
    ...own,
    async handler(request, reply) {
      const session = await recentSession(service, request);
      if (!service.verifies)
        throw new ProblemError('forbidden', 'No email can verify the new address: no mail provider is set.');
      const user = await service.user(session.userId);
      const email = request.body.email.toLowerCase();
      await evenTime(MAIL_ONLY_MS, () =>
        database.transaction(async (tx) => {
          const [known] = await tx.select().from(users).where(eq(users.email, email));
          if (known) {
            const url = `${service.origin}/reset`;
            await service.send(tx, people.mails.accountExists, email, { ...service.to(known), url }, request);
            return;
          }
          await mailLink(service, tx, 'change-email', people.mails.changeEmail, { ...user, email }, request);
        }),
      );
      return reply.code(204).send(null);
    },
  });
};

/** A user who may not sign in is shown as anonymous here; the routes that they use say why. */
function onlyRefused(error: unknown): undefined {
  if (!(error instanceof ProblemError)) throw error;
}

const NOBODY = {
  user: null,
  permissions: [],
  isOperator: false,
  impersonation: null,
  recentUntil: null,
};

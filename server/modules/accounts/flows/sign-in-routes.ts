import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { eq, sql } from 'drizzle-orm';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  type Next,
  resetPassword,
  sendReset,
  sendVerification,
  signIn,
  signInWithCode,
  signOut,
  signUp,
  verifyEmail,
} from '#contracts/accounts/sign-in.ts';
import { ProblemError } from '../../../platform/lib/problem.ts';
import type { AccountService } from '../service.ts';
import { users } from '../table.ts';
import { callAuth } from './call-auth.ts';
import { evenTime, MAIL_ONLY_MS, WITH_HASH_MS } from './even-time.ts';
import { assertNewPassword, hashPassword } from './passwords.ts';
import { hashRecoveryCode } from './recovery-codes.ts';
import { clearSession, endPrior, endSessions, signedIn } from './sessions.ts';
import { endWaysIn, signUp as makeAccount, setPassword } from './sign-up.ts';
import type { AccountThrottle } from './throttle.ts';
import { mailLink, useToken } from './tokens.ts';
import { verifyCode } from './two-factor-routes.ts';

const open = { access: 'public', cors: false } as const;
/** Ten failures a minute from one address. */
const guessed = { config: { ...open, limit: 'sign-in' } } as const;
const mailed = { config: { ...open, limit: { name: 'account-mails', max: 10 } } } as const;

export const signInRoutes: FastifyPluginAsyncTypebox<{
  service: AccountService;
  throttle: AccountThrottle;
}> = async (app, { service, throttle }) => {
  const { options } = service;
  const { db, database, people, log } = options;
  const byEmail = async (email: string) =>
    (await db.select().from(users).where(eq(users.email, email.toLowerCase())))[0];

  app.addHook('onRequest', async () => {
    if (service.closed) throw service.closed;
  });

  app.route({
    ...signUp,
    ...mailed,
    handler: (request, reply) =>
      evenTime(WITH_HASH_MS, async () => {
        const proved = await makeAccount(service, request, request.body);
        return proved ? passwordSignIn(request, reply, { ...request.body, remember: true }) : next('verify');
      }),
  });

  app.route({
    ...signIn,
    ...guessed,
    handler: (request, reply) => passwordSignIn(request, reply, request.body),
  });

  async function passwordSignIn(
    request: FastifyRequest,
    reply: FastifyReply,
    { email, password, remember = true }: { email: string; password: string; remember?: boolean },
  ): Promise<Next> {
    const attempt = throttle.begin(request, reply, email);
    const begun = performance.now();
    try {
      const answer = await attempt.check(() =>
        callAuth(
          service,
          request,
          reply,
          ({ api }, headers) =>
            api.signInEmail({
              headers,
              body: { email, password, rememberMe: remember },
              returnHeaders: true,
            }),
          'fresh',
        ),
      );
      attempt.succeeded();
      if ('twoFactorRedirect' in answer) {
        await endPrior(service, request);
        return next('two-factor');
      }
      await signedIn(service, request);
      return next('done');
    } catch (error) {
      if (codeOf(error) === 'EMAIL_NOT_VERIFIED') {
        // Right, but the person who signed up need not own the address.
        attempt.right();
        return next('verify');
      }
      // A known address costs a query more.
      return evenTime(WITH_HASH_MS - (performance.now() - begun), () => Promise.reject(error));
    }
  }

  app.route({
    ...signInWithCode,
    ...guessed,
    async handler(request, reply) {
      const { code, recovery } = request.body;
      if (recovery) {
        await callAuth(
          service,
          request,
          reply,
          ({ api }, headers) =>
            api.verifyBackupCode({ headers, body: { code: hashRecoveryCode(code) }, returnHeaders: true }),
          'fresh',
        );
      } else await verifyCode(service, request, reply, code, 'fresh');
      await signedIn(service, request);
      return next('done');
    },
  });

  app.route({
    ...signOut,
    config: open,
    async handler(request, reply) {
      await endPrior(service, request);
      clearSession(service, reply);
      return reply.code(204).send(null);
    },
  });

  app.route({
    ...verifyEmail,
    ...guessed,
    async handler(request) {
      await database.transaction(async (tx) => {
        const { purpose, userId, email } = await useToken(tx, ['verify', 'change-email'], request.body.token);
        const [user] = await tx.select().from(users).where(eq(users.id, userId)).for('update');
        if (user === undefined || (purpose === 'verify' && user.email !== email)) throw tooOld();
        await tx
          .update(users)
          .set({ email, emailVerified: true, updatedAt: sql`now()` })
          .where(eq(users.id, userId))
          .catch(addressTaken);
        service.sessionsChanged(tx, userId);
        if (purpose === 'verify') return;
        await service.send(tx, people.mails.emailChanged, user.email, service.to(user), request);
        log.info({ userId }, 'an address was changed');
      });
      return next('done');
    },
  });

  app.route({
    ...sendVerification,
    ...mailed,
    async handler(request, reply) {
      await evenTime(MAIL_ONLY_MS, async () => {
        const user = await byEmail(request.body.email);
        if (!user || user.emailVerified) return;
        await database.transaction((tx) =>
          mailLink(service, tx, 'verify', people.mails.verify, user, request),
        );
      });
      return reply.code(204).send(null);
    },
  });

  app.route({
    ...sendReset,
    ...mailed,
    async handler(request, reply) {
      await evenTime(MAIL_ONLY_MS, async () => {
        const user = await byEmail(request.body.email);
        if (!user) return;
        await database.transaction((tx) => mailLink(service, tx, 'reset', people.mails.reset, user, request));
      });
      return reply.code(204).send(null);
    },
  });

  app.route({
    ...resetPassword,
    ...guessed,
    async handler(request, reply) {
      const { token, password } = request.body;
      assertNewPassword(password, []);
      const hash = await hashPassword(password);
      const address = await database.transaction(async (tx) => {
        const { userId, email } = await useToken(tx, ['reset'], token);
        const [user] = await tx.select().from(users).where(eq(users.id, userId)).for('update');
        if (user?.email !== email) throw tooOld();
        assertNewPassword(password, [user.name, email]);
        if (!user.emailVerified) await endWaysIn(service, tx, userId);
        // The link was mailed to this address.
        await tx
          .update(users)
          .set({ emailVerified: true, updatedAt: sql`now()` })
          .where(eq(users.id, userId));
        await setPassword(tx, userId, hash);
        await endSessions(service, tx, userId);
        await service.send(tx, people.mails.passwordChanged, email, service.to(user), request);
        log.info({ userId }, 'a password was reset');
        return email;
      });
      throttle.remember(reply, address);
      clearSession(service, reply);
      return reply.code(204).send(null);
    },
  });
};

const next = (step: Next['next']): Next => ({ next: step });

/** The address was changed since the link was mailed. */
const tooOld = () => new ProblemError('bad-request', 'This link is too old. Ask for a new one.');

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const UNIQUE_VIOLATION = '23505';
function addressTaken(error: Error): never {
  if ((error.cause as { code?: string } | undefined)?.code !== UNIQUE_VIOLATION) throw error;
  throw new ProblemError('bad-request', 'There is an account with this address by now.');
}

const codeOf = (error: unknown): string | undefined =>
  (error as { cause?: { body?: { code?: string } } }).cause?.body?.code;

import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { eq, like, or } from 'drizzle-orm';
import { eraseAccount, exportAccount } from '#contracts/accounts/account.ts';
import type { Transaction } from '../../platform/database/transaction.ts';
import { invalid } from '../../platform/lib/problem.ts';
import type { Brought } from '../../platform/parts.ts';
import { assertOperatorsLeft } from './admin/admin-routes.ts';
import { clearSession, endSessions } from './flows/sessions.ts';
import { OPERATOR } from './roles.ts';
import type { AccountService } from './service.ts';
import { requireRecentSignIn } from './sessions/identity.ts';
import { apiKeys, credentials, invitations, passkeys, sessions, users, verifications } from './table.ts';

/** An export reads all that there is of a user. */
const EXPORTS = { name: 'exports', max: 10, windowMs: 3_600_000 } as const;

/** Every process has heard that sessions have ended, and quick requests are done, in milliseconds. */
const SETTLE_MS = 1_000;

export interface PersonalDataOptions {
  service: AccountService;
  /** What other parts hold. */
  personalData: Brought['personalData'];
}

/**
 * Export and erasure of a person's data, within `inPerson`: each part contributes its own.
 *
 * What stays after an erasure: the user's id, which names nobody any more, in the log, in the actor of jobs, and in backups.
 */
export const personalDataRoutes: FastifyPluginAsyncTypebox<PersonalDataOptions> = async (app, options) => {
  const { service, personalData } = options;
  const { database, people } = service.options;

  app.route({
    ...exportAccount,
    config: { access: 'user', cors: false, limit: EXPORTS },
    async handler(request, reply) {
      requireRecentSignIn(request);
      const user = await service.user(request.scope?.userId);
      const account = await ownData(database.db, user);
      reply.headers({
        'content-type': 'application/json; charset=utf-8',
        'content-disposition': 'attachment; filename="account.json"',
      });
      const text = Readable.from(written(account, personalData, user));
      return reply.send(text as never);
    },
  });

  app.route({
    ...eraseAccount,
    config: { access: 'user', cors: false },
    async handler(request, reply) {
      requireRecentSignIn(request);
      const confirmed = async (tx: Transaction) => {
        const user = await service.user(request.scope?.userId, tx);
        if (user.email !== request.body.email.toLowerCase())
          throw invalid('body/email', 'This is not the address of your account.');
        await assertOperatorsLeft(tx, user.id, user.roles.includes(OPERATOR));
        return user;
      };
      await database.transaction(async (tx) => {
        const { id } = await confirmed(tx);
        await tx.delete(apiKeys).where(eq(apiKeys.userId, id));
        await endSessions(service, tx, id);
      });
      // Other requests of the user that are under way, or that a process admits until it has heard of this, write nothing that stays.
      await sleep(SETTLE_MS);
      await database.transaction(async (tx) => {
        const user = await confirmed(tx);
        for (const part of personalData.values()) await part.erase(tx, user.id, user.email);
        await erase(tx, user, service);
        await service.send(tx, people.mails.accountErased, user.email, service.to(user), request);
      });
      clearSession(service, reply);
      return reply.code(204).send(null);
    },
  });
};

type User = typeof users.$inferSelect;
type Reader = Pick<Transaction, 'select'>;

/** One part after the other, so that no more than one is in memory. */
async function* written(account: object, personalData: Brought['personalData'], { id, email }: User) {
  yield `{"accounts":${JSON.stringify(account)}`;
  for (const [name, part] of personalData) {
    const data = await part.export(id, email);
    if (data !== undefined) yield `,${JSON.stringify(name)}:${JSON.stringify(data)}`;
  }
  yield '}';
}

/** What accounts hold, without what lets anybody sign in: hashes, secrets, tokens. */
async function ownData(db: Reader, user: User) {
  const owned = { sessions, credentials, passkeys, apiKeys };
  const rowsOf = <Columns extends Parameters<typeof db.select>[0]>(
    name: keyof typeof owned,
    columns: Columns,
  ) =>
    db
      .select(columns as never)
      .from(owned[name])
      .where(eq(owned[name].userId, user.id));
  return {
    user,
    sessions: await rowsOf('sessions', {
      createdAt: sessions.createdAt,
      lastSeenAt: sessions.updatedAt,
      expiresAt: sessions.expiresAt,
      ipAddress: sessions.ipAddress,
      userAgent: sessions.userAgent,
      impersonationReason: sessions.impersonationReason,
    }),
    signInWith: await rowsOf('credentials', {
      provider: credentials.providerId,
      accountId: credentials.accountId,
      scope: credentials.scope,
      createdAt: credentials.createdAt,
    }),
    passkeys: await rowsOf('passkeys', {
      name: passkeys.name,
      deviceType: passkeys.deviceType,
      createdAt: passkeys.createdAt,
    }),
    apiKeys: await rowsOf('apiKeys', {
      id: apiKeys.id,
      name: apiKeys.name,
      permissions: apiKeys.permissions,
      createdAt: apiKeys.createdAt,
      expiresAt: apiKeys.expiresAt,
      lastUsedAt: apiKeys.lastUsedAt,
    }),
    invitations: await db
      .select({
        email: invitations.email,
        roles: invitations.roles,
        createdAt: invitations.createdAt,
        acceptedAt: invitations.acceptedAt,
      })
      .from(invitations)
      .where(or(eq(invitations.email, user.email), eq(invitations.invitedBy, user.id))),
  };
}

/** With the row of the user go sessions, credentials, passkeys, keys, and invitations that the user has made. */
async function erase(tx: Transaction, user: User, service: AccountService): Promise<void> {
  const actedAs = await tx
    .selectDistinct({ userId: sessions.userId })
    .from(sessions)
    .where(eq(sessions.impersonatedBy, user.id));
  await tx.delete(invitations).where(eq(invitations.email, user.email));
  await tx
    .delete(verifications)
    .where(or(like(verifications.id, `%:${user.id}`), eq(verifications.value, user.id)));
  await tx.delete(users).where(eq(users.id, user.id));
  for (const userId of [user.id, ...actedAs.map((one) => one.userId)]) service.sessionsChanged(tx, userId);
}

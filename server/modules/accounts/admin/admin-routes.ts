import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { and, eq, not, or, sql } from 'drizzle-orm';
import type { FastifyRequest } from 'fastify';
import {
  banUser,
  endUserSessions,
  listUsers as list,
  listRoles,
  readUser as read,
  setRoles,
  unbanUser,
} from '#contracts/accounts/admin.ts';
import type { Transaction } from '../../../platform/database/transaction.ts';
import { invalid, ProblemError } from '../../../platform/lib/problem.ts';
import { EVERYBODY, OPERATOR, type Roles } from '../roles.ts';
import type { AccountService } from '../service.ts';
import { requireRecentSignIn } from '../sessions/identity.ts';
import { hasRole, sessions, users } from '../table.ts';
import { isBanned, listUsers, noUser, readUser } from './user-queries.ts';

export const operators = { config: { access: 'operator', cors: false } } as const;

/** Who acts, for the log: the id of an operator. */
export const actorOf = ({ scope }: FastifyRequest): string => scope?.userId ?? 'INTERNAL_API_KEY';

/** The routes of `/api/admin/users`. Operators alone reach them, so nobody grants above their own roles. */
export const adminRoutes: FastifyPluginAsyncTypebox<{ service: AccountService; roles: Roles }> = async (
  app,
  { service, roles },
) => {
  const { db, database } = service.options;

  app.route({
    ...list,
    ...operators,
    handler: ({ query: { cursor, limit = 20, ...filter } }) => listUsers(db, filter, limit, cursor),
  });

  app.route({ ...read, ...operators, handler: ({ params: { id } }) => readUser(db, id) });

  app.route({
    ...listRoles,
    ...operators,
    handler: async () => ({
      roles: [EVERYBODY, ...roles.names].map((name) => ({
        name,
        permissions: [...roles.permissionsOf([name])],
      })),
    }),
  });

  app.route({
    ...setRoles,
    ...operators,
    async handler(request) {
      requireRecentSignIn(request);
      const { id } = request.params;
      const wanted = request.body.roles.filter((role) => role !== EVERYBODY);
      assertGrantable(roles, wanted);
      await database.transaction(async (tx) => {
        await assertOperatorsLeft(tx, id, !wanted.includes(OPERATOR));
        const { roles: had } = await locked(tx, id);
        await tx.update(users).set({ roles: wanted }).where(eq(users.id, id));
        // Tokens of before must not become an operator's, nor go on in the name of others.
        if (had.includes(OPERATOR) !== wanted.includes(OPERATOR)) await endSessionsOf(tx, id);
        service.sessionsChanged(tx, id);
      });
      request.log.info({ actor: actorOf(request), target: id, roles: wanted }, "a user's roles were set");
      return readUser(db, id);
    },
  });

  app.route({
    ...banUser,
    ...operators,
    async handler(request) {
      requireRecentSignIn(request);
      const { id } = request.params;
      const { reason, until } = request.body;
      const bannedUntil = until === undefined ? null : new Date(until);
      // A leap second is a date-time, but no date of JavaScript's.
      if (bannedUntil !== null && !(bannedUntil > new Date()))
        throw invalid('body/until', 'Choose a time in the future.');
      if (request.scope?.userId === id) throw new ProblemError('conflict', 'You cannot ban yourself.');
      await database.transaction(async (tx) => {
        // With a key of INTERNAL_API_KEY the last one can be banned, too.
        await assertOperatorsLeft(tx, id, request.scope !== undefined);
        await locked(tx, id);
        await tx
          .update(users)
          .set({ bannedAt: sql`now()`, bannedUntil, banReason: reason })
          .where(eq(users.id, id));
        await endSessionsOf(tx, id);
      });
      request.log.info({ actor: actorOf(request), target: id }, 'a user was banned');
      return readUser(db, id);
    },
  });

  app.route({
    ...unbanUser,
    ...operators,
    async handler(request) {
      const { id } = request.params;
      await database.transaction(async (tx) => {
        await locked(tx, id);
        await tx
          .update(users)
          .set({ bannedAt: null, bannedUntil: null, banReason: null })
          .where(eq(users.id, id));
        service.sessionsChanged(tx, id);
      });
      request.log.info({ actor: actorOf(request), target: id }, "a user's ban was lifted");
      return readUser(db, id);
    },
  });

  app.route({
    ...endUserSessions,
    ...operators,
    async handler(request, reply) {
      const { id } = request.params;
      await database.transaction(async (tx) => {
        await locked(tx, id);
        await endSessionsOf(tx, id);
      });
      request.log.info({ actor: actorOf(request), target: id }, "a user's sessions were ended");
      return reply.code(204).send(null);
    },
  });

  /** Ends all sessions of a user, and those in which the user acts as others. */
  async function endSessionsOf(tx: Transaction, userId: string): Promise<void> {
    const ended = await tx
      .delete(sessions)
      .where(or(eq(sessions.userId, userId), eq(sessions.impersonatedBy, userId)))
      .returning({ userId: sessions.userId });
    for (const one of new Set([userId, ...ended.map((session) => session.userId)]))
      service.sessionsChanged(tx, one);
  }
};

/** @throws ProblemError `validation` for a role that there is not. */
export function assertGrantable(roles: Roles, wanted: readonly string[]): void {
  const unknown = wanted.find((role) => !roles.names.includes(role));
  if (unknown === undefined) return;
  throw invalid('body/roles', `There is no role '${unknown}'. There are: ${roles.names.join(', ')}.`);
}

/** @returns The user's row, which no other transaction changes meanwhile. */
async function locked(tx: Transaction, id: string) {
  const [user] = await tx.select().from(users).where(eq(users.id, id)).for('update');
  if (user === undefined) throw noUser(id);
  return user;
}

/** @throws ProblemError `conflict` where the last operator would go: nobody could make another one here. */
export async function assertOperatorsLeft(tx: Transaction, id: string, goes: boolean): Promise<void> {
  if (!goes) return;
  // Locked, so that two do not dismiss each other; in one order, so that they do not wait for each other.
  const rows = await tx
    .select({ id: users.id })
    .from(users)
    .where(and(hasRole(OPERATOR), not(isBanned)))
    .orderBy(users.id)
    .for('update');
  if (rows.length === 1 && rows[0]?.id === id) {
    throw new ProblemError('conflict', 'This is the last operator. Make another one first.');
  }
}

import { randomBytes, randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { and, desc, eq, gt, isNull, ne, sql } from 'drizzle-orm';
import { endInvitation, type Invitation, invite, listInvitations } from '#contracts/accounts/admin.ts';
import type { Transaction } from '../../../platform/database/transaction.ts';
import { ProblemError } from '../../../platform/lib/problem.ts';
import { hashToken } from '../flows/cookies.ts';
import type { Roles } from '../roles.ts';
import type { AccountService } from '../service.ts';
import { requireRecentSignIn } from '../sessions/identity.ts';
import { invitations, users } from '../table.ts';
import { actorOf, assertGrantable, operators } from './admin-routes.ts';

/** In milliseconds. */
const INVITATION_MS = 7 * 24 * 3_600_000;

type Row = typeof invitations.$inferSelect;

export interface NewInvitation {
  /** '': any address may use the link. */
  readonly email: string;
  readonly roles: readonly string[];
  /** Absent: a command, or the start of the server. */
  readonly invitedBy?: string | undefined;
  /** In milliseconds; 7 days where it is absent. */
  readonly lifeMs?: number;
}

/**
 * Makes an invitation; an open one of the same address ends.
 *
 * @returns It, and the path of its link: the token is in the fragment, which no server's log holds.
 */
export async function makeInvitation(
  tx: Transaction,
  { email, roles, invitedBy, lifeMs = INVITATION_MS }: NewInvitation,
): Promise<{ row: Row; path: string }> {
  const token = randomBytes(32).toString('base64url');
  await tx.delete(invitations).where(and(eq(invitations.email, email), isNull(invitations.acceptedAt)));
  const [row] = await tx
    .insert(invitations)
    .values({
      id: randomUUID(),
      email,
      roles: [...roles],
      hash: hashToken(token),
      invitedBy: invitedBy ?? null,
      expiresAt: new Date(Date.now() + lifeMs),
    })
    .returning();
  if (row === undefined) throw new Error('invitations: an insert returned no row');
  return { row, path: `/join#token=${token}` };
}

/** The routes of `/api/admin/invitations`. */
export const invitationRoutes: FastifyPluginAsyncTypebox<{ service: AccountService; roles: Roles }> = async (
  app,
  { service, roles },
) => {
  const { db, database, people, mail } = service.options;

  app.route({
    ...listInvitations,
    ...operators,
    async handler() {
      const rows = await db
        .select()
        .from(invitations)
        .where(
          and(
            isNull(invitations.acceptedAt),
            gt(invitations.expiresAt, sql`now()`),
            ne(invitations.email, ''),
          ),
        )
        .orderBy(desc(invitations.createdAt))
        .limit(500);
      return { items: rows.map(written) };
    },
  });

  app.route({
    ...invite,
    ...operators,
    async handler(request) {
      const email = request.body.email.toLowerCase();
      const wanted = request.body.roles ?? [];
      if (wanted.length > 0) requireRecentSignIn(request);
      assertGrantable(roles, wanted);
      if (service.closed) throw service.closed;
      const { row, url } = await database.transaction(async (tx) => {
        const [known] = await tx.select().from(users).where(eq(users.email, email));
        if (known) throw new ProblemError('conflict', 'There is an account with this address already.');
        const made = await makeInvitation(tx, { email, roles: wanted, invitedBy: request.scope?.userId });
        const link = `${service.origin}${made.path}`;
        await service.send(
          tx,
          people.mails.invitation,
          email,
          { ...service.to({ name: email }), url: link },
          request,
        );
        return { row: made.row, url: link };
      });
      request.log.info(
        { actor: actorOf(request), invitation: row.id, roles: wanted },
        'an address was invited',
      );
      return { invitation: written(row), link: mail?.delivers ? null : url };
    },
  });

  app.route({
    ...endInvitation,
    ...operators,
    async handler({ params: { id } }, reply) {
      const ended = await db
        .delete(invitations)
        .where(and(eq(invitations.id, id), isNull(invitations.acceptedAt)))
        .returning({ id: invitations.id });
      if (ended.length === 0) throw new ProblemError('not-found', `There is no open invitation ${id}.`);
      return reply.code(204).send(null);
    },
  });
};

const written = ({ id, email, roles, createdAt, expiresAt, acceptedAt }: Row): Invitation => ({
  id,
  email,
  roles,
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt.toISOString(),
  acceptedAt: acceptedAt?.toISOString() ?? null,
});

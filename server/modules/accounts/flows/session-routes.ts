import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { and, desc, eq, gt, sql } from 'drizzle-orm';
import { endOtherSessions, endSession, listSessions } from '#contracts/accounts/sessions.ts';
import { ProblemError } from '../../../platform/lib/problem.ts';
import type { Scope } from '../../../platform/parts.ts';
import type { AccountService } from '../service.ts';
import type {} from '../sessions/identity.ts';
import { sessions } from '../table.ts';
import { endSessions } from './sessions.ts';

const own = { config: { access: 'user', cors: false } } as const;

/** The browsers that a user is signed in with. */
export const sessionRoutes: FastifyPluginAsyncTypebox<{ service: AccountService }> = async (
  app,
  { service },
) => {
  const { db, database, config } = service.options;
  const { sessionIdleSeconds } = config.accounts;

  app.route({
    ...listSessions,
    ...own,
    async handler({ scope }) {
      const { userId, session } = scope as Scope;
      const idle = sql`now() - make_interval(secs => ${sessionIdleSeconds})`;
      const rows = await db
        .select()
        .from(sessions)
        .where(
          and(eq(sessions.userId, userId), gt(sessions.expiresAt, sql`now()`), gt(sessions.updatedAt, idle)),
        )
        .orderBy(desc(sessions.updatedAt))
        .limit(100);
      return {
        items: rows.map((row) => ({
          id: row.id,
          current: row.id === session?.id,
          createdAt: row.createdAt.toISOString(),
          lastSeenAt: row.updatedAt.toISOString(),
          expiresAt: row.expiresAt.toISOString(),
          ipAddress: row.ipAddress || null,
          device: deviceOf(row.userAgent ?? ''),
          impersonatedBy: row.impersonatedBy,
        })),
      };
    },
  });

  app.route({
    ...endSession,
    ...own,
    async handler({ scope, params }, reply) {
      const { userId } = scope as Scope;
      await database.transaction(async (tx) => {
        const ended = await tx
          .delete(sessions)
          .where(and(eq(sessions.id, params.id), eq(sessions.userId, userId)))
          .returning({ id: sessions.id });
        if (ended.length === 0) throw new ProblemError('not-found', 'You have no such session.');
        service.sessionsChanged(tx, userId);
      });
      return reply.code(204).send(null);
    },
  });

  app.route({
    ...endOtherSessions,
    ...own,
    async handler({ scope }, reply) {
      const { userId, session } = scope as Scope;
      await database.transaction((tx) => endSessions(service, tx, userId, session?.id));
      return reply.code(204).send(null);
    },
  });
};

/** The first that fits: browsers also name those that they are like. */
const BROWSERS = {
  Edge: /Edg/,
  Opera: /OPR/,
  Firefox: /Firefox|FxiOS/,
  Chrome: /Chrom|CriOS/,
  Safari: /Safari/,
};
const SYSTEMS = {
  iOS: /iPhone|iPad/,
  Android: /Android/,
  Windows: /Windows/,
  macOS: /Mac OS/,
  Linux: /Linux|X11/,
};

/** @returns Such as `Firefox on Linux`. */
function deviceOf(userAgent: string): string {
  const first = (kinds: Record<string, RegExp>) =>
    Object.keys(kinds).find((name) => kinds[name]?.test(userAgent));
  const [browser, system] = [first(BROWSERS), first(SYSTEMS)];
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? system ?? (userAgent.slice(0, 40) || 'Unknown device');
}

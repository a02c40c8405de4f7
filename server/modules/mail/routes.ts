import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { and, desc, eq, lt, sql } from 'drizzle-orm';
import {
  addSuppression,
  listOutbox,
  listSuppressions,
  type MailOverview,
  type MailState,
  readMail,
  removeSuppression,
  retryMail,
} from '#contracts/mail.ts';
import { before, pageOf } from '../../platform/lib/cursor.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import type { MailService } from './mailer.ts';
import { hashOf } from './outbox.ts';
import { ADDRESS } from './settings.ts';
import { mailOutbox, mailSuppressed } from './table.ts';

/** What operators see and do of mails: never what one says, nor to whom. */
export const mailRoutes: FastifyPluginAsyncTypebox<{ service: MailService }> = async (app, { service }) => {
  const { outbox, figures, provider, hasMailbox, platform } = service;
  const { db, config } = platform;
  const operator = { config: { access: 'operator' } } as const;

  app.route({
    ...readMail,
    ...operator,
    async handler(): Promise<MailOverview> {
      const [{ oldestSeconds, bouncePercent }, counts, [{ suppressed } = { suppressed: 0 }]] =
        await Promise.all([
          figures.read(),
          db
            .select({
              state: mailOutbox.state,
              template: mailOutbox.template,
              count: sql<number>`count(*)::int`,
            })
            .from(mailOutbox)
            .groupBy(mailOutbox.state, mailOutbox.template),
          db.select({ suppressed: sql<number>`count(*)::int` }).from(mailSuppressed),
        ]);
      const states = new Map<MailState, number>();
      for (const { state, count } of counts) states.set(state, (states.get(state) ?? 0) + count);
      const { from } = config.mail;
      return {
        provider: provider?.name ?? (hasMailbox ? 'mailbox' : 'none'),
        from: from ? `${from.name} <${from.address}>`.trim() : null,
        states: [...states].map(([state, count]) => ({ state, count })),
        templates: [...new Set(counts.map(({ template }) => template))].sort(),
        oldestSeconds,
        suppressed,
        bounceRate: bouncePercent === null ? null : bouncePercent / 100,
      };
    },
  });

  app.route({
    ...listOutbox,
    ...operator,
    async handler({ query: { cursor, limit = 20, state, template, address } }) {
      const rows = await outbox.list({
        before: before(cursor),
        limit: limit + 1,
        ...(state && { state }),
        ...(template !== undefined && { template }),
        ...(address !== undefined && { recipient: hashOf(address) }),
      });
      return pageOf(rows, limit, ({ createdAt, expiresAt, endedAt, ...row }) => ({
        ...row,
        createdAt: createdAt.toISOString(),
        expiresAt: expiresAt.toISOString(),
        endedAt: endedAt?.toISOString() ?? null,
      }));
    },
  });

  app.route({
    ...retryMail,
    ...operator,
    async handler({ params: { id } }, reply) {
      if (await service.retry(id)) return reply.code(204).send(null);
      const [row] = await db
        .select({ state: mailOutbox.state })
        .from(mailOutbox)
        .where(eq(mailOutbox.id, id));
      if (!row) throw new ProblemError('not-found', `There is no email ${id}.`);
      throw new ProblemError(
        'conflict',
        service.delivers
          ? `It is ${row.state}, or of no use any more: only what failed or waits is sent again.`
          : 'No provider is set.',
      );
    },
  });

  app.route({
    ...listSuppressions,
    ...operator,
    async handler({ query: { cursor, limit = 20, address } }) {
      const rows = await db
        .select()
        .from(mailSuppressed)
        .where(
          and(
            lt(mailSuppressed.id, before(cursor)),
            address === undefined ? undefined : eq(mailSuppressed.recipient, hashOf(address)),
          ),
        )
        .orderBy(desc(mailSuppressed.id))
        .limit(limit + 1);
      return pageOf(rows, limit, written);
    },
  });

  app.route({
    ...addSuppression,
    ...operator,
    async handler({ body: { address } }, reply) {
      if (!ADDRESS.test(address)) throw new ProblemError('bad-request', 'That is no address.');
      return reply.code(201).send(written(await outbox.suppress(db, address, 'operator')));
    },
  });

  app.route({
    ...removeSuppression,
    ...operator,
    async handler({ params: { id } }, reply) {
      const { rowCount } = await db.delete(mailSuppressed).where(eq(mailSuppressed.id, id));
      if (rowCount === 0) throw new ProblemError('not-found', `There is no suppression ${id}.`);
      return reply.code(204).send(null);
    },
  });
};

const written = ({ createdAt, ...row }: typeof mailSuppressed.$inferSelect) => ({
  ...row,
  createdAt: createdAt.toISOString(),
});

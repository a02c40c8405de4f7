import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { and, desc, eq, lt } from 'drizzle-orm';
import { listMailbox, readMailboxHtml, readMailboxMail, readMailboxSource } from '#contracts/mail.ts';
import { EncryptionError } from '../../platform/database/encryption/keyring.ts';
import { isFromThisMachine } from '../../platform/http/this-machine.ts';
import { before, pageOf } from '../../platform/lib/cursor.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import type { MailService } from './mailer.ts';
import { headersOf } from './mailer.ts';
import { opened, stored } from './outbox.ts';
import { mailOutbox } from './table.ts';

/** Such as one of before ENCRYPTION_KEY was changed. */
const LOCKED = 'This email cannot be decrypted';
const NOBODY = { name: '', address: 'mail@localhost' };

/**
 * A document of its own: nothing loads, no script runs, and it has no origin. Its links open in a new tab.
 */
const SANDBOX =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox allow-popups allow-popups-to-escape-sandbox";

/** The mailbox of development: what would have been sent, with its links. Registered in development alone. */
export const mailboxRoutes: FastifyPluginAsyncTypebox<{ service: MailService }> = async (
  app,
  { service },
) => {
  const { db, config } = service.platform;
  const from = config.mail.from ?? NOBODY;
  const own = { config: { access: 'public' } } as const;
  const inMailbox = eq(mailOutbox.state, 'mailbox');
  // Where this application may be framed, its mails may be.
  const ancestors =
    /frame-ancestors [^;]*/.exec(app.securityHeaders['content-security-policy'] ?? '')?.[0] ?? '';
  const csp = `${SANDBOX}; ${ancestors.replace("'none'", "'self'")}`;

  const operatorsOnly = app.accessRule('operator');
  app.addHook('onRequest', async (request, reply) => {
    if (isFromThisMachine(request)) return;
    app.limitWrongKeys(request, reply);
    await operatorsOnly?.(request, reply);
  });

  const columns = {
    id: mailOutbox.id,
    template: mailOutbox.template,
    messageId: mailOutbox.messageId,
    stored,
    createdAt: mailOutbox.createdAt,
  };
  const one = async (id: number) => {
    const [row] = await db
      .select(columns)
      .from(mailOutbox)
      .where(and(eq(mailOutbox.id, id), inMailbox));
    if (!row) throw new ProblemError('not-found', `There is no email ${id} in the mailbox.`);
    const content = opened(row.stored ?? '{}');
    if (content instanceof EncryptionError)
      throw new ProblemError('not-found', `${LOCKED}: ${content.message}`);
    return { ...row, content };
  };

  app.route({
    ...listMailbox,
    ...own,
    async handler({ query: { cursor, limit = 20 } }) {
      const rows = await db
        .select(columns)
        .from(mailOutbox)
        .where(and(inMailbox, lt(mailOutbox.id, before(cursor))))
        .orderBy(desc(mailOutbox.id))
        .limit(limit + 1);
      return pageOf(rows, limit, (row) => {
        const content = opened(row.stored ?? '{}');
        const { to, subject } = content instanceof EncryptionError ? { to: '', subject: LOCKED } : content;
        return { id: row.id, template: row.template, to, subject, createdAt: row.createdAt.toISOString() };
      });
    },
  });

  app.route({
    ...readMailboxMail,
    ...own,
    async handler({ params: { id } }) {
      const { template, createdAt, content } = await one(id);
      const { to, subject, text, attachments } = content;
      return {
        id,
        template,
        to,
        from: from.address,
        subject,
        text,
        createdAt: createdAt.toISOString(),
        attachments: attachments.map(({ name, type, content: base64 }) => ({
          name,
          type,
          bytes: Buffer.byteLength(base64, 'base64'),
        })),
      };
    },
  });

  app.route({
    ...readMailboxHtml,
    ...own,
    async handler({ params: { id } }, reply) {
      const { html } = (await one(id)).content;
      return reply
        .headers({
          'content-security-policy': csp,
          'x-frame-options': 'SAMEORIGIN',
          // A document without an origin cannot have a cluster of its own, which browsers would complain about.
          'origin-agent-cluster': '?0',
        })
        .type('text/html; charset=utf-8')
        .send(html.replace(/<head[^>]*>/i, '$&<base target="_blank">'));
    },
  });

  app.route({
    ...readMailboxSource,
    ...own,
    async handler({ params: { id } }, reply) {
      const { content, messageId, createdAt } = await one(id);
      const [{ createTransport }, { composed }] = await Promise.all([
        import('nodemailer'),
        import('./providers/smtp.ts'),
      ]);
      const message = composed({ ...content, from, id: messageId, headers: headersOf(content) });
      const transport = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
      const { message: source } = await transport.sendMail({ ...message, date: createdAt });
      return reply.type('text/plain; charset=utf-8').send(String(source));
    },
  });
};

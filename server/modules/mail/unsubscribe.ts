import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { askUnsubscribe, unsubscribe } from '#contracts/mail.ts';
import { readBody } from '../../platform/http/read-body.ts';
import { html } from '../../platform/lib/html.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import type { MailService } from './mailer.ts';
import { hashOf } from './outbox.ts';
import type { MailPlatform } from './providers/provider.ts';

type Config = MailPlatform['config'];

const sign = (secret: string, recipient: string) =>
  createHmac('sha256', secret).update(`mail unsubscribe ${recipient}`).digest();

/**
 * The address that ends bulk mail to one recipient. It does not expire: mails are read years later.
 *
 * @throws Error where PUBLIC_URL or SESSION_SECRET is not set.
 */
export function unsubscribeUrl(
  { publicUrl, sessionSecrets, environment, listen }: Config,
  to: string,
): string {
  const [secret] = sessionSecrets;
  const base = publicUrl ?? (environment === 'development' ? `http://localhost:${listen.port}` : undefined);
  if (base === undefined || secret === undefined)
    throw new Error('Bulk mail needs an address to unsubscribe at: set PUBLIC_URL and SESSION_SECRET.');
  const recipient = hashOf(to);
  return `${base}/api/mail/unsubscribe/${recipient}.${sign(secret, recipient).toString('base64url')}`;
}

/** @returns The hash of the address; undefined for a token that no secret of ours has signed. */
function recipientOf(token: string, secrets: readonly string[]): string | undefined {
  const [, recipient = '', signature = ''] = /^([\da-f]{64})\.([\w-]{43})$/.exec(token) ?? [];
  const given = Buffer.from(signature, 'base64url');
  const isSigned = secrets
    .map((secret) => sign(secret, recipient))
    .some((known) => known.length === given.length && timingSafeEqual(known, given));
  return isSigned ? recipient : undefined;
}

const page = (content: ReturnType<typeof html>) =>
  `<!doctype html>${
    html`<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>Unsubscribe</title></head><body>${content}</body></html>`
      .html
  }`;

/** Where a recipient ends bulk mail: in a browser with a button, in a mail program with one click. */
export const unsubscribeRoutes: FastifyPluginAsyncTypebox<{ service: MailService }> = async (
  app,
  { service },
) => {
  const { config, db } = service.platform;
  const options = { config: { access: 'public', limit: { name: 'unsubscribe', max: 600 } } } as const;
  // What the form says is known.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request, payload, done) => readBody(request, payload, done));
  const known = (token: string) => {
    const recipient = recipientOf(token, config.sessionSecrets);
    if (recipient === undefined) throw new ProblemError('not-found', 'This link is not valid.');
    return recipient;
  };

  app.route({
    ...askUnsubscribe,
    ...options,
    async handler({ params: { token } }, reply) {
      known(token);
      return reply
        .type('text/html; charset=utf-8')
        .send(
          page(
            html`<form method="post"><p>Send no more news to this address?</p><button>Unsubscribe</button></form>`,
          ),
        );
    },
  });

  app.route({
    ...unsubscribe,
    ...options,
    bodyLimit: 4_096,
    async handler({ params: { token } }, reply) {
      await service.outbox.suppress(db, { hash: known(token) }, 'unsubscribe', true);
      return reply.type('text/html; charset=utf-8').send(page(html`<p>You are unsubscribed.</p>`));
    },
  });
};

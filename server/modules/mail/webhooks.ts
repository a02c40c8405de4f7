import { createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { mailgunEvents, sendgridEvents } from '#contracts/mail.ts';
import { isDeeperThan } from '../../platform/http/json-bodies.ts';
import { readBody } from '../../platform/http/read-body.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import type { MailService } from './mailer.ts';
import type { ProviderEvent } from './outbox.ts';

/**
 * A signature of more than a day ago is refused, as providers repeat an event for up to a day
 * (https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event); within it each event counts once. In seconds.
 */
const MAX_AGE_S = 86_400;
const MAX_AHEAD_S = 300;
const MAX_BODY_BYTES = 1_048_576;
const MAX_DEPTH = 16;

/** What happened to a mail, and whom it suppresses. Other events change nothing. */
const KINDS = {
  bounce: { state: 'bounced', suppress: { reason: 'bounce', bulkOnly: false } },
  /** For now, or of a provider's own list. */
  blocked: { state: 'bounced', suppress: undefined },
  complaint: { state: 'complained', suppress: { reason: 'complaint', bulkOnly: false } },
  unsubscribe: { state: undefined, suppress: { reason: 'unsubscribe', bulkOnly: true } },
} as const satisfies Record<string, Pick<ProviderEvent, 'state' | 'suppress'>>;

type Kind = keyof typeof KINDS;
const MAILGUN: Partial<Record<string, Kind>> = {
  'failed permanent': 'bounce',
  complained: 'complaint',
  unsubscribed: 'unsubscribe',
};
const SENDGRID: Partial<Record<string, Kind>> = {
  bounce: 'bounce',
  blocked: 'blocked',
  dropped: 'blocked',
  spamreport: 'complaint',
  unsubscribe: 'unsubscribe',
  group_unsubscribe: 'unsubscribe',
};

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value.length > 0 && value.length <= 500 ? value : undefined;
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;
const uuid = (value: unknown) => (UUID.test(text(value) ?? '') ? (value as string) : undefined);

function assertRecent(timestamp: unknown): void {
  // In digits: `1e0` would take its end from what is signed behind it.
  const age = Date.now() / 1_000 - (/^\d+$/.test(String(timestamp)) ? Number(timestamp) : Number.NaN);
  if (!(age < MAX_AGE_S && age > -MAX_AHEAD_S)) refuse('The signature is too old.');
}

function refuse(why: string): never {
  throw new ProblemError('unauthorized', why);
}

function parsed(body: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(body.toString());
    if (!isDeeperThan(MAX_DEPTH, value)) return value;
  } catch {}
  throw new ProblemError('malformed-json', 'The body is not JSON.');
}

type Fields = Record<string, unknown>;
const fields = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

/** https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks */
function readMailgun(body: Buffer, key: string): ProviderEvent[] {
  const document = fields(parsed(body));
  const { timestamp, token, signature } = fields(document.signature);
  const known = createHmac('sha256', key).update(`${timestamp}${token}`).digest();
  const given = Buffer.from(text(signature) ?? '', 'hex');
  if (given.length !== known.length || !timingSafeEqual(known, given)) refuse('The signature is wrong.');
  assertRecent(timestamp);
  const { event, severity, recipient, 'user-variables': variables } = fields(document['event-data']);
  const kind = MAILGUN[event === 'failed' ? `failed ${severity}` : String(event)];
  const address = text(recipient);
  // The signature is of the token alone: with another token the same event would be another.
  return kind && address && text(token)
    ? [{ id: `mailgun ${token}`, messageId: uuid(fields(variables).mail), address, ...KINDS[kind] }]
    : [];
}

/** https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features */
function readSendgrid(body: Buffer, headers: Fields, key: KeyObject): ProviderEvent[] {
  const timestamp = text(headers['x-twilio-email-event-webhook-timestamp']) ?? '';
  const signature = text(headers['x-twilio-email-event-webhook-signature']) ?? '';
  const signed = Buffer.concat([Buffer.from(timestamp), body]);
  if (!verify('sha256', signed, key, Buffer.from(signature, 'base64'))) refuse('The signature is wrong.');
  assertRecent(timestamp);
  const events = parsed(body);
  return (Array.isArray(events) ? events : []).map(fields).flatMap((one) => {
    const { event, type, email, sg_event_id: id, mail } = one;
    const kind = SENDGRID[event === 'bounce' && type === 'blocked' ? 'blocked' : String(event)];
    const address = text(email);
    return kind && address && text(id)
      ? [{ id: `sendgrid ${id}`, messageId: uuid(mail), address, ...KINDS[kind] }]
      : [];
  });
}

/** Where providers report bounces and complaints. They sign the bytes of the body, so JSON is parsed after the check. */
export const webhookRoutes: FastifyPluginAsyncTypebox<{ service: MailService }> = async (
  app,
  { service },
) => {
  const { mailgun, sendgrid } = service.platform.config.mail;
  const options = {
    config: { access: 'public', limit: { name: 'mail-events', max: 6_000 } },
    bodyLimit: MAX_BODY_BYTES,
  } as const;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (request, payload, done) => readBody(request, payload, done));
  const bytes = (body: unknown) => (Buffer.isBuffer(body) ? body : Buffer.alloc(0));

  const record = async (events: ProviderEvent[]) => {
    for (const event of events) {
      const recorded = await service.outbox.recordEvent(event);
      if (recorded && event.state) service.figures.count(recorded.template ?? 'unknown', event.state);
    }
  };

  if (mailgun.webhookKey !== undefined) {
    const key = mailgun.webhookKey;
    app.route({
      ...mailgunEvents,
      ...options,
      async handler({ body }, reply) {
        await record(readMailgun(bytes(body), key));
        return reply.code(204).send(null);
      },
    });
  }
  if (sendgrid.webhookKey !== undefined) {
    const key = createPublicKey({
      key: sendgrid.webhookKey,
      format: 'der',
      type: 'spki',
      encoding: 'base64',
    });
    app.route({
      ...sendgridEvents,
      ...options,
      async handler({ body, headers }, reply) {
        await record(readSendgrid(bytes(body), headers, key));
        return reply.code(204).send(null);
      },
    });
  }
};

import { type Static, Type } from 'typebox';
import { Page, PageQuery } from './page.ts';
import { Problem } from './problem.ts';
import { moment, orNull } from './values.ts';

const Id = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) });
const address = Type.String({ minLength: 3, maxLength: 320 });
const operators = { 401: Problem, 503: Problem } as const;

/**
 * `held`: no provider was set when it was written. `waiting`: for its next attempt. `sending`: an attempt is under way, or its
 * process died. `mailbox`: in the mailbox of development. `failed`: refused for good, or as often as it is tried. `expired`: not
 * sent while its content was of use. `bounced` and `complained`: what the provider told after it was sent.
 */
export const MailState = Type.Union([
  Type.Literal('held'),
  Type.Literal('waiting'),
  Type.Literal('sending'),
  Type.Literal('mailbox'),
  Type.Literal('sent'),
  Type.Literal('bounced'),
  Type.Literal('complained'),
  Type.Literal('failed'),
  Type.Literal('expired'),
]);
export type MailState = Static<typeof MailState>;

/** One mail of the outbox, without what it says and to whom. */
export const MailView = Type.Object(
  {
    id: Type.Integer(),
    template: Type.String(),
    recipient: Type.String({ description: 'SHA-256 of the address' }),
    state: MailState,
    attempts: Type.Integer(),
    repeats: Type.Integer({
      description: 'Attempts after one whose end is unknown: the mail may have arrived twice',
    }),
    error: orNull(Type.String({ description: 'Of the last attempt that failed' })),
    requestId: orNull(Type.String()),
    createdAt: moment,
    expiresAt: Type.String({ format: 'date-time', description: 'Not sent any more from then on' }),
    endedAt: orNull(moment),
  },
  { $id: 'MailView', title: 'MailView' },
);
export type MailView = Static<typeof MailView>;

/** An address that gets no mail. */
export const MailSuppression = Type.Object(
  {
    id: Type.Integer(),
    recipient: Type.String({ description: 'SHA-256 of the address' }),
    reason: Type.Union([
      Type.Literal('bounce'),
      Type.Literal('complaint'),
      Type.Literal('unsubscribe'),
      Type.Literal('operator'),
    ]),
    bulkOnly: Type.Boolean({ description: 'It still gets what is no bulk mail' }),
    createdAt: moment,
  },
  { $id: 'MailSuppression', title: 'MailSuppression' },
);
export type MailSuppression = Static<typeof MailSuppression>;

/** How mails leave, and how many are in each state. */
export const MailOverview = Type.Object(
  {
    provider: Type.Union([
      Type.Literal('smtp'),
      Type.Literal('mailgun'),
      Type.Literal('sendgrid'),
      Type.Literal('mailbox'),
      Type.Literal('none'),
    ]),
    from: orNull(Type.String()),
    states: Type.Array(Type.Object({ state: MailState, count: Type.Integer() }), {
      description: 'States that some mail of the last 30 days is in',
    }),
    templates: Type.Array(Type.String(), { description: 'Names, for the filter' }),
    oldestSeconds: Type.Number({ description: 'How long the oldest unsent mail has waited' }),
    suppressed: Type.Integer(),
    bounceRate: orNull(
      Type.Number({ description: 'Of the mails sent in the last 24 hours; null where few were' }),
    ),
  },
  { $id: 'MailOverview', title: 'MailOverview' },
);
export type MailOverview = Static<typeof MailOverview>;

export const readMail = {
  method: 'GET',
  url: '/api/monitoring/mail',
  schema: { summary: 'How mails leave, and how many wait', response: { 200: MailOverview, ...operators } },
} as const;

export const listOutbox = {
  method: 'GET',
  url: '/api/monitoring/mail/outbox',
  schema: {
    summary: 'Mails of the outbox, newest first',
    querystring: Type.Object({
      ...PageQuery.properties,
      state: Type.Optional(MailState),
      template: Type.Optional(Type.String({ maxLength: 100 })),
      address: Type.Optional(address),
    }),
    response: { 200: Page(MailView), 400: Problem, ...operators },
  },
} as const;

export const retryMail = {
  method: 'POST',
  url: '/api/monitoring/mail/outbox/:id/retry',
  schema: {
    summary: 'Send a mail that failed, or that waits for its next attempt, at once',
    params: Id,
    response: { 204: Type.Null(), 400: Problem, 404: Problem, 409: Problem, ...operators },
  },
} as const;

export const listSuppressions = {
  method: 'GET',
  url: '/api/monitoring/mail/suppressions',
  schema: {
    summary: 'Addresses that get no mail, newest first',
    querystring: Type.Object({ ...PageQuery.properties, address: Type.Optional(address) }),
    response: { 200: Page(MailSuppression), 400: Problem, ...operators },
  },
} as const;

export const addSuppression = {
  method: 'POST',
  url: '/api/monitoring/mail/suppressions',
  schema: {
    summary: 'Send no mail to an address any more',
    body: Type.Object({ address }, { additionalProperties: false }),
    response: { 201: MailSuppression, 400: Problem, ...operators },
  },
} as const;

export const removeSuppression = {
  method: 'DELETE',
  url: '/api/monitoring/mail/suppressions/:id',
  schema: {
    summary: 'Send mail to an address again',
    params: Id,
    response: { 204: Type.Null(), 400: Problem, 404: Problem, ...operators },
  },
} as const;

const DevMail = {
  id: Type.Integer(),
  template: Type.String(),
  to: Type.String(),
  subject: Type.String(),
  createdAt: moment,
};

/** A mail in the mailbox of development. */
export const MailboxItem = Type.Object(DevMail, { $id: 'MailboxItem', title: 'MailboxItem' });
export type MailboxItem = Static<typeof MailboxItem>;

export const MailboxMail = Type.Object(
  {
    ...DevMail,
    from: Type.String(),
    text: Type.String(),
    attachments: Type.Array(Type.Object({ name: Type.String(), type: Type.String(), bytes: Type.Integer() })),
  },
  { $id: 'MailboxMail', title: 'MailboxMail' },
);
export type MailboxMail = Static<typeof MailboxMail>;

/** The mailbox: in development alone, from this machine or for operators. Elsewhere its routes are 404. */
const developers = { 401: Problem, 404: Problem, 503: Problem } as const;

export const listMailbox = {
  method: 'GET',
  url: '/api/dev/mail',
  schema: {
    summary: 'Mails that development would have sent, newest first',
    querystring: PageQuery,
    response: { 200: Page(MailboxItem), 400: Problem, ...developers },
  },
} as const;

export const readMailboxMail = {
  method: 'GET',
  url: '/api/dev/mail/:id',
  schema: {
    summary: 'One of them',
    params: Id,
    response: { 200: MailboxMail, 400: Problem, ...developers },
  },
} as const;

export const readMailboxHtml = {
  method: 'GET',
  url: '/api/dev/mail/:id/html',
  schema: {
    summary: 'Its HTML, as a document in a sandbox of its own, for a frame',
    params: Id,
    response: {
      200: { description: 'The document', content: { 'text/html': { schema: Type.String() } } },
      400: Problem,
      ...developers,
    },
  },
} as const;

export const readMailboxSource = {
  method: 'GET',
  url: '/api/dev/mail/:id/source',
  schema: {
    summary: 'Its source (RFC 5322)',
    params: Id,
    response: {
      200: { description: 'The source', content: { 'text/plain': { schema: Type.String() } } },
      400: Problem,
      ...developers,
    },
  },
} as const;

export const mailgunEvents = {
  method: 'POST',
  url: '/api/mail/events/mailgun',
  schema: {
    summary: 'What Mailgun tells of a mail: bounces and complaints, signed',
    response: { 204: Type.Null(), 400: Problem, 401: Problem, 404: Problem, 503: Problem },
  },
} as const;

export const sendgridEvents = {
  method: 'POST',
  url: '/api/mail/events/sendgrid',
  schema: {
    summary: 'What SendGrid tells of mails: bounces and complaints, signed',
    response: { 204: Type.Null(), 400: Problem, 401: Problem, 404: Problem, 503: Problem },
  },
} as const;

const Unsubscribe = {
  params: Type.Object({ token: Type.String({ maxLength: 500 }) }),
  response: {
    200: { description: 'A page', content: { 'text/html': { schema: Type.String() } } },
    404: Problem,
    503: Problem,
  },
} as const;

export const askUnsubscribe = {
  method: 'GET',
  url: '/api/mail/unsubscribe/:token',
  schema: {
    summary: 'Ask whether to send no more bulk mail. It changes nothing: scanners follow links',
    ...Unsubscribe,
  },
} as const;

export const unsubscribe = {
  method: 'POST',
  url: '/api/mail/unsubscribe/:token',
  schema: { summary: 'Send no more bulk mail to the address (RFC 8058)', ...Unsubscribe },
} as const;

import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import type { MailState, MailSuppression } from '#contracts/mail.ts';
import { encryptedText } from '../../platform/database/encryption/encrypted-text.ts';

const moment = (name: string) => timestamp(name, { withTimezone: true });

/** Mails that are to be sent, and for 30 days what became of them. */
export const mailOutbox = pgTable(
  'mail_outbox',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    /** Of the header `Message-ID`, the same in every attempt; providers tell of the mail by it. */
    messageId: uuid('message_id').notNull().unique().defaultRandom(),
    template: text().notNull(),
    /** SHA-256 of the address. */
    recipient: text().notNull(),
    bulk: boolean().notNull(),
    state: text().$type<MailState>().notNull(),
    /** Address, subject and bodies as JSON, encrypted where there is a key. Null from its delivery on. */
    content: encryptedText('mail_outbox.content', { allowPlain: true }),
    /** The job that sends it: another one leaves it alone. */
    jobId: uuid('job_id'),
    attempts: integer().notNull().default(0),
    repeats: integer().notNull().default(0),
    error: text(),
    requestId: text('request_id'),
    createdAt: moment('created_at').notNull().defaultNow(),
    startedAt: moment('started_at'),
    expiresAt: moment('expires_at').notNull(),
    endedAt: moment('ended_at'),
  },
  (table) => [
    index('mail_outbox_recipient').on(table.recipient, table.template, table.createdAt),
    index('mail_outbox_state').on(table.state, table.id),
    index('mail_outbox_unsent').on(table.createdAt).where(sql`state in ('held', 'waiting', 'sending')`),
    index('mail_outbox_ended').on(table.endedAt),
  ],
);

/** The mails of the last hour to an address by a template: a row is locked by who adds to it, so that the limit is exact. */
export const mailLimits = pgTable(
  'mail_limits',
  {
    recipient: text().notNull(),
    template: text().notNull(),
    written: moment('written').array().notNull(),
  },
  (table) => [primaryKey({ columns: [table.recipient, table.template] })],
);

/** Addresses that get no mail. */
export const mailSuppressed = pgTable('mail_suppressed', {
  id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  /** SHA-256 of the address. Of no key: the list must outlive every rotation. */
  recipient: text().notNull().unique(),
  reason: text().$type<MailSuppression['reason']>().notNull(),
  bulkOnly: boolean('bulk_only').notNull().default(false),
  createdAt: moment('created_at').notNull().defaultNow(),
});

/** Ids of providers' events, for as long as an event would be accepted again. */
export const mailEvents = pgTable(
  'mail_events',
  {
    id: text().primaryKey(),
    createdAt: moment('created_at').notNull().defaultNow(),
  },
  (table) => [index('mail_events_created').on(table.createdAt)],
);

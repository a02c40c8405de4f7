import { sql } from 'drizzle-orm';
import { bigint, customType, index, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' });

/**
 * What has happened, for pages that are open; kept for an hour.
 *
 * `xid` is the transaction that wrote the row. Ids are handed out in another order than transactions commit, so readers tell by
 * `xid` what they have not seen (position.ts).
 */
export const events = pgTable(
  'events',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    topic: text().notNull(),
    payload: jsonb().notNull(),
    // Not `now()`, which is when the transaction began.
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().default(sql`clock_timestamp()`),
    xid: xid8().notNull().default(sql`pg_current_xact_id()`),
  },
  (table) => [index('events_xid').on(table.xid), index('events_topic_xid').on(table.topic, table.xid)],
);

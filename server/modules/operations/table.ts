import { index, integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/** Silences of alerts. Ended ones are removed when a new one is created. */
export const silences = pgTable(
  'silences',
  {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    /** The name of a rule, or `*` for all. */
    alert: text().notNull(),
    comment: text().notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    expiresAt: timestamp('expires_at', { withTimezone: true }).notNull(),
  },
  (table) => [index('silences_expires_at').on(table.expiresAt)],
);

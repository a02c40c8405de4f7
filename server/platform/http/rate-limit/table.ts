import { index, integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/**
 * Hits for `RATE_LIMIT_STORE=postgres`: one row for each client and limit, overwritten when its window ends.
 *
 * It is unlogged (its migration says so): its rows are worth nothing after a crash, and this halves the cost of a hit.
 */
export const rateLimits = pgTable(
  'rate_limits',
  {
    /** The limit's name and the client. */
    key: text().primaryKey(),
    hits: integer().notNull(),
    endsAt: timestamp('ends_at', { withTimezone: true }).notNull(),
  },
  (table) => [index('rate_limits_ends_at').on(table.endsAt)],
);

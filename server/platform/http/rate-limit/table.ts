import { index, integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/**
 * Who asked how often, for `RATE_LIMIT_STORE=postgres`: one row a client and limit, written over when its window ends.
 *
 * It is unlogged (its migration says so): what it holds is worth nothing after a crash, and this halves what a hit costs.
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

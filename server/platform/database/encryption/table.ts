import { pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/** The keys that encrypted columns hold values of: a server without one of them refuses to start. */
export const encryptionKeys = pgTable('encryption_keys', {
  /** See `keyIdOf`. */
  id: text().primaryKey(),
  firstUsedAt: timestamp('first_used_at', { withTimezone: true }).notNull().defaultNow(),
});

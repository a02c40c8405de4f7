import { type SQLWrapper, sql } from 'drizzle-orm';
import { bigint, customType, index, integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' });

/**
 * What is found in a note. Punctuation becomes spaces first, since PostgreSQL's parser would make single words of
 * `budget-2026` and `example.com`, of which nobody finds a part.
 */
const WORDS =
  "to_tsvector('simple', regexp_replace(title || ' ' || body, '[!-/:-@[-`{-~\\u2000-\\u206f]+', ' ', 'g'))";

/**
 * The owner as one more word of a note, so that one index finds the words of one owner. No text has a word with an @: it is
 * punctuation.
 */
const ownerWord = (ownerId: SQLWrapper) => sql`array_to_tsvector(array['@' || ${ownerId}])`;

/**
 * Notes. `owner_id` is the user whose note it is; '' where nothing tells who is signed in. It refers to no table, so that accounts
 * can be removed.
 *
 * `version` counts edits, for optimistic concurrency. A deleted note keeps its row for a while, so that deleting can be
 * undone. `words` is kept by PostgreSQL itself; the `simple` configuration neither stems nor drops words, so it serves
 * every language alike.
 */
export const notes = pgTable(
  'notes',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    ownerId: text('owner_id').notNull().default(''),
    title: text().notNull(),
    body: text().notNull().default(''),
    version: integer().notNull().default(1),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
    deletedAt: timestamp('deleted_at', { withTimezone: true }),
    words: tsvector().notNull().generatedAlwaysAs(sql.raw(WORDS)),
  },
  (table) => [
    // The list reads this one backwards; deleted rows cost it nothing.
    index('notes_own').on(table.ownerId, table.id).where(sql`deleted_at is null`),
    index('notes_own_words').using('gin', sql`(${table.words} || ${ownerWord(table.ownerId)})`),
    index('notes_deleted').on(table.deletedAt).where(sql`deleted_at is not null`),
  ],
);

/** What `notes_own_words` holds. */
export const ownWords = sql`(${notes.words} || ${ownerWord(notes.ownerId)})`;

/** @returns A text for `tsquery` that the notes of an owner match. */
export const ownerQuery = (owner: string): string => `'@${owner.replaceAll(/['\\]/g, '$&$&')}'`;

import { pgTable, serial } from 'drizzle-orm/pg-core';
import { encryptedText } from '../../../server/platform/database/encryption/encrypted-text.ts';

/** Makes the table, which is in no migration. */
export const LETTERS = 'create table letters (id serial primary key, body text)';
export const letters = pgTable('letters', { id: serial().primaryKey(), body: encryptedText('letters.body') });

import { asc, eq } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { PersonalData } from '../../platform/parts.ts';
import { notes } from './table.ts';

const { id, title, body, createdAt, updatedAt, deletedAt } = notes;

/** A user's notes, those that were deleted within the last day among them. */
export const personalNotes = (db: NodePgDatabase): PersonalData => ({
  async export(userId) {
    const rows = await db
      .select({ id, title, body, createdAt, updatedAt, deletedAt })
      .from(notes)
      .where(eq(notes.ownerId, userId))
      .orderBy(asc(notes.id));
    return rows.length === 0 ? undefined : rows;
  },
  async erase(tx, userId) {
    await tx.delete(notes).where(eq(notes.ownerId, userId));
  },
});

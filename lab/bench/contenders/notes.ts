/** The sample's page of notes, as the contenders of `npm run bench page` read it. */
import { and, desc, eq, isNull, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { listNotes } from '../../../contracts/notes.ts';
import { notes } from '../../../server/features/notes/table.ts';
import { user } from '../../../tests/support/user.ts';

/** Four contenders at once must fit into the database. */
export const POOL_SIZE = 10;

/** The sample's schema: the parameters' types and the fields of an answer. */
export const { querystring, response } = listNotes.schema;
export const PAGE_SCHEMA = { querystring, response: { 200: response[200] } };

/** @returns Reads a page by a named prepared statement, the fastest that `pg` offers. */
export function byNamedStatement(url: string) {
  const pool = new pg.Pool({ connectionString: url, max: POOL_SIZE });
  const text = `select id::int, title, left(body, 140) as excerpt, version, created_at as "createdAt", updated_at as "updatedAt"
    from notes where owner_id = $1 and deleted_at is null order by notes.id desc limit $2`;
  return async (limit: number) =>
    page((await pool.query({ name: 'page', text, values: [user.id, limit + 1] })).rows, limit);
}

/** @returns Reads a page as drizzle's documentation shows it. */
export function byDrizzle(url: string) {
  const db = drizzle({ client: new pg.Pool({ connectionString: url, max: POOL_SIZE }) });
  return async (limit: number) => {
    const { id, title, body, version, createdAt, updatedAt } = notes;
    const excerpt = sql<string>`left(${body}, 140)`;
    const rows = await db
      .select({ id, title, excerpt, version, createdAt, updatedAt })
      .from(notes)
      .where(and(eq(notes.ownerId, user.id), isNull(notes.deletedAt)))
      .orderBy(desc(notes.id))
      .limit(limit + 1);
    return page(rows, limit);
  };
}

function page<Row extends { id: number }>(rows: Row[], limit: number) {
  const items = rows.slice(0, limit);
  return { items, nextCursor: rows.length > limit ? String(items.at(-1)?.id) : null };
}

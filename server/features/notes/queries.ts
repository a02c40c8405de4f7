import { and, desc, eq, inArray, isNotNull, isNull, lt, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { BaseLogger } from 'pino';
import type { NewNote, NoteChange, NoteEvent } from '#contracts/notes.ts';
import { transaction } from '../../platform/database/transaction.ts';
import { apartFromRequests } from '../../platform/lib/request-work.ts';
import type { Events } from '../../platform/parts.ts';
import { notes } from './table.ts';

/** So much of the body stands in a list, in characters. */
const EXCERPT = 140;
/**
 * A search reads this many of the newest notes before it asks the index of words. A common word fills its page from them
 * in less than a millisecond, where the index would collect every match first. A rare word leaves the index few matches.
 * PostgreSQL cannot choose by itself: it expects 2 % of all rows to match any prefix.
 */
const NEWEST = 10_000;
/** A deleted note can be restored for this long; a later write removes it for good. */
const KEEP_DELETED = sql`interval '1 day'`;
/** Writers look for expired notes this often at most, in milliseconds. */
const CLEAN_EVERY_MS = 60_000;

const whole = {
  id: notes.id,
  title: notes.title,
  body: notes.body,
  version: notes.version,
  createdAt: notes.createdAt,
  updatedAt: notes.updatedAt,
};
const { body: _body, ...rest } = whole;
const summary = { ...rest, excerpt: sql<string>`left(${notes.body}, ${sql.raw(String(EXCERPT))})` };

/** The pool, or a transaction. */
type Writer = Pick<NodePgDatabase, 'insert' | 'update'>;

/**
 * Every query of the feature, prepared once.
 *
 * Named statements are planned once a connection: they run at the speed of hand-written ones. Where a pooler stands between, the names are dropped by the database room.
 */
export class NoteQueries {
  readonly #db: NodePgDatabase;
  readonly #log: Pick<BaseLogger, 'warn'>;
  readonly #events: Events | undefined;
  readonly #list;
  readonly #searchNewest;
  readonly #searchAll;
  readonly #read;
  #cleanedAt = 0;

  /** @param events Tells open pages which note was written, if anything does. */
  constructor(db: NodePgDatabase, log: Pick<BaseLogger, 'warn'>, events?: Events) {
    this.#db = db;
    this.#log = log;
    this.#events = events;
    const limit = sql.placeholder('limit');
    const live = (id: SQLWrapper) => and(isNull(notes.deletedAt), lt(id, sql.placeholder('before')));
    const matches = sql`${notes.words} @@ to_tsquery('simple', ${sql.placeholder('words')})`;
    // Under the table's own name, so that the same columns are selected from it.
    const newest = db
      .select()
      .from(notes)
      .where(live(notes.id))
      .orderBy(desc(notes.id))
      .limit(NEWEST)
      .as('notes') as unknown as typeof notes;
    this.#list = db
      .select(summary)
      .from(notes)
      .where(live(notes.id))
      .orderBy(desc(notes.id))
      .limit(limit)
      .prepare('notes_list');
    this.#searchNewest = db
      .select(summary)
      .from(newest)
      .where(matches)
      .orderBy(desc(notes.id))
      .limit(limit)
      .prepare('notes_search_newest');
    // An expression instead of the column: the primary key's index must not answer this.
    const key = sql`${notes.id} + 0`;
    this.#searchAll = db
      .select(summary)
      .from(notes)
      .where(and(live(key), matches))
      .orderBy(desc(key))
      .limit(limit)
      .prepare('notes_search_all');
    this.#read = db
      .select(whole)
      .from(notes)
      .where(and(eq(notes.id, sql.placeholder('id')), isNull(notes.deletedAt)))
      .prepare('notes_read');
  }

  /**
   * One page, newest first.
   *
   * @param options.words An expression for `to_tsquery`, or undefined for all notes.
   * @param options.before Only notes with a smaller id: the key of the last row of the page before.
   */
  async list(options: { words: string | undefined; before: number; limit: number }) {
    if (options.words === undefined) return this.#list.execute(options);
    const rows = await this.#searchNewest.execute(options);
    return rows.length < options.limit ? this.#searchAll.execute(options) : rows;
  }

  async read(id: number) {
    const [note] = await this.#read.execute({ id });
    return note;
  }

  async create({ title, body = '' }: NewNote) {
    const note = await this.#write((db) =>
      db
        .insert(notes)
        .values({ title: sql.placeholder('title'), body: sql.placeholder('body') })
        .returning(whole)
        .prepare('notes_create')
        .execute({ title, body }),
    );
    if (note === undefined) throw new Error('notes: an insert returned no row');
    this.#cleanNowAndThen();
    return note;
  }

  /** Changes a note that still has one of these versions. Returns undefined when there is none. */
  change(id: number, versions: number[] | 'any', change: NoteChange) {
    return this.#write((db) =>
      db
        .update(notes)
        .set({ ...change, version: sql`${notes.version} + 1`, updatedAt: sql`now()` })
        .where(and(eq(notes.id, id), isNull(notes.deletedAt), versionIn(versions)))
        .returning(whole),
    );
  }

  /** Deletes a note that has one of these versions. Returns whether there was one. */
  async delete(id: number, versions: number[] | 'any'): Promise<boolean> {
    const deleted = await this.#write((db) =>
      db
        .update(notes)
        .set({ deletedAt: sql`now()` })
        .where(and(eq(notes.id, id), isNull(notes.deletedAt), versionIn(versions)))
        .returning({ id: notes.id }),
    );
    this.#cleanNowAndThen();
    return deleted !== undefined;
  }

  /** Undoes a deletion. Returns undefined when there is nothing to restore. */
  restore(id: number) {
    return this.#write((db) =>
      db
        .update(notes)
        .set({ deletedAt: null })
        .where(and(eq(notes.id, id), isNotNull(notes.deletedAt)))
        .returning(whole),
    );
  }

  /** One row at most. The event is part of the transaction, so neither is there without the other. */
  async #write<Row extends NoteEvent>(write: (db: Writer) => Promise<Row[]>): Promise<Row | undefined> {
    const events = this.#events;
    if (!events) return (await write(this.#db))[0];
    return transaction(this.#db, async (tx) => {
      const [row] = await write(tx);
      if (row) await events.publish(tx, 'notes', { id: row.id, version: row.version } satisfies NoteEvent);
      return row;
    });
  }

  /**
   * Deleted notes are removed at a later write. There is no timer, and an idle server sends no query. The write is
   * committed by then, so its answer neither waits for this nor depends on it.
   */
  #cleanNowAndThen(): void {
    if (Date.now() - this.#cleanedAt < CLEAN_EVERY_MS) return;
    this.#cleanedAt = Date.now();
    apartFromRequests(() => this.#removeExpired()).catch((err) =>
      this.#log.warn({ err }, 'expired notes could not be removed; a later write tries again'),
    );
  }

  async #removeExpired(): Promise<void> {
    const expired = this.#db
      .select({ id: notes.id })
      .from(notes)
      .where(lt(notes.deletedAt, sql`now() - ${KEEP_DELETED}`))
      .limit(100)
      // Writers must not wait for each other to remove expired notes.
      .for('update', { skipLocked: true });
    await this.#db.delete(notes).where(inArray(notes.id, expired));
  }
}

function versionIn(versions: number[] | 'any'): SQL | undefined {
  return versions === 'any' ? undefined : inArray(notes.version, versions);
}

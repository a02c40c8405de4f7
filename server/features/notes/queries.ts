import { and, desc, eq, exists, inArray, isNotNull, isNull, lt, type SQL, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { BaseLogger } from 'pino';
import type { NewNote, NoteChange, NoteEvent } from '#contracts/notes.ts';
import { transaction } from '../../platform/database/transaction.ts';
import { atMostEvery } from '../../platform/lib/at-most-every.ts';
import type { Events } from '../../platform/parts.ts';
import { notes, ownerQuery, ownWords } from './table.ts';

/** So much of the body stands in a list, in characters. */
const EXCERPT = 140;
/**
 * A search reads this many of the owner's newest notes before it asks the index of words. A common word fills its page from them
 * in less than a millisecond, where the index would collect every match of the owner's first. A rarer word leaves the index few
 * matches: one note in 50 of the owner's at most. PostgreSQL cannot choose by itself: it expects 2 % of all rows to match any prefix.
 */
const NEWEST = 1_000;
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
/** Whose notes: the id of a user. Without an identity all notes belong to ''. */
export type Owner = string;

/**
 * Every query of the feature, prepared once. Each names the owner in its `WHERE`, so that nobody meets a note of another's.
 *
 * A connection plans a named statement once, so it runs at the speed of a hand-written one. Behind a pooler the pool drops the names.
 */
export class NoteQueries {
  readonly #db: NodePgDatabase;
  readonly #log: Pick<BaseLogger, 'warn'>;
  readonly #events: Events | undefined;
  readonly #list;
  readonly #searchNewest;
  readonly #searchAll;
  readonly #read;
  /** Called after a write is committed. */
  readonly #cleanIfDue = atMostEvery(
    CLEAN_EVERY_MS,
    () => this.#removeExpired(),
    (err) => this.#log.warn({ err }, 'expired notes could not be removed; a later write tries again'),
  );

  /** @param events Tells open pages which note was written, if anything does. */
  constructor(db: NodePgDatabase, log: Pick<BaseLogger, 'warn'>, events?: Events) {
    this.#db = db;
    this.#log = log;
    this.#events = events;
    const limit = sql.placeholder('limit');
    const owned = eq(notes.ownerId, sql.placeholder('owner'));
    const live = and(owned, isNull(notes.deletedAt), lt(notes.id, sql.placeholder('before')));
    const matches = sql`${notes.words} @@ to_tsquery('simple', ${sql.placeholder('words')})`;
    // Under the table's own name, so that the same columns are selected from it.
    const newest = db
      .select()
      .from(notes)
      .where(live)
      .orderBy(desc(notes.id))
      .limit(NEWEST)
      .as('notes') as unknown as typeof notes;
    this.#list = db
      .select(summary)
      .from(notes)
      .where(live)
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
    // An owner who has no more than were read has been answered, without a look at what begins alike with all owners.
    const further = db
      .select({ id: notes.id })
      .from(notes)
      .where(live)
      .orderBy(desc(notes.id))
      .offset(NEWEST)
      .limit(1);
    // Expressions instead of the columns: the list's index must not answer this, nor collect all notes of the owner.
    const key = sql`${notes.id} + 0`;
    const ownMatches = sql`${ownWords} @@ (to_tsquery('simple', ${sql.placeholder('words')}) && ${sql.placeholder('own')}::tsquery)`;
    this.#searchAll = db
      .select(summary)
      .from(notes)
      .where(
        and(
          exists(further),
          ownMatches,
          sql`${notes.ownerId} || '' = ${sql.placeholder('owner')}`,
          isNull(notes.deletedAt),
          lt(key, sql.placeholder('before')),
        ),
      )
      .orderBy(desc(key))
      .limit(limit)
      .prepare('notes_search_all');
    this.#read = db
      .select(whole)
      .from(notes)
      .where(and(eq(notes.id, sql.placeholder('id')), owned, isNull(notes.deletedAt)))
      .prepare('notes_read');
  }

  /**
   * One page, newest first.
   *
   * @param options.words An expression for `to_tsquery`, or undefined for all notes.
   * @param options.before Only notes with a smaller id: the key of the last row of the page before.
   */
  async list(options: { owner: Owner; words: string | undefined; before: number; limit: number }) {
    if (options.words === undefined) return this.#list.execute(options);
    const rows = await this.#searchNewest.execute(options);
    if (rows.length >= options.limit) return rows;
    const all = await this.#searchAll.execute({ ...options, own: ownerQuery(options.owner) });
    return all.length > 0 ? all : rows;
  }

  async read(owner: Owner, id: number) {
    const [note] = await this.#read.execute({ owner, id });
    return note;
  }

  async create(owner: Owner, { title, body = '' }: NewNote) {
    const note = await this.#write(owner, (db) =>
      db
        .insert(notes)
        .values({
          ownerId: sql.placeholder('owner'),
          title: sql.placeholder('title'),
          body: sql.placeholder('body'),
        })
        .returning(whole)
        .prepare('notes_create')
        .execute({ owner, title, body }),
    );
    if (note === undefined) throw new Error('notes: an insert returned no row');
    this.#cleanIfDue();
    return note;
  }

  /** Changes a note that still has one of these versions. Returns undefined when there is none. */
  change(owner: Owner, id: number, versions: number[] | 'any', change: NoteChange) {
    return this.#write(owner, (db) =>
      db
        .update(notes)
        .set({ ...change, version: sql`${notes.version} + 1`, updatedAt: sql`now()` })
        .where(and(own(owner, id), isNull(notes.deletedAt), versionIn(versions)))
        .returning(whole),
    );
  }

  /** Deletes a note that has one of these versions. Returns whether there was one. */
  async delete(owner: Owner, id: number, versions: number[] | 'any'): Promise<boolean> {
    const deleted = await this.#write(owner, (db) =>
      db
        .update(notes)
        .set({ deletedAt: sql`now()` })
        .where(and(own(owner, id), isNull(notes.deletedAt), versionIn(versions)))
        .returning({ id: notes.id }),
    );
    this.#cleanIfDue();
    return deleted !== undefined;
  }

  /** Undoes a deletion. Returns undefined when there is nothing to restore. */
  restore(owner: Owner, id: number) {
    return this.#write(owner, (db) =>
      db
        .update(notes)
        .set({ deletedAt: null })
        .where(and(own(owner, id), isNotNull(notes.deletedAt)))
        .returning(whole),
    );
  }

  /** One row at most. The event is part of the transaction, so neither is there without the other. */
  async #write<Row extends NoteEvent>(
    owner: Owner,
    write: (db: Writer) => Promise<Row[]>,
  ): Promise<Row | undefined> {
    const events = this.#events;
    if (!events) return (await write(this.#db))[0];
    return transaction(this.#db, async (tx) => {
      const [row] = await write(tx);
      if (row)
        await events.publish(tx, topicOf(owner), { id: row.id, version: row.version } satisfies NoteEvent);
      return row;
    });
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

const own = (owner: Owner, id: number) => and(eq(notes.id, id), eq(notes.ownerId, owner));

/** The topic of an owner's events. */
export const topicOf = (owner: Owner): string => (owner === '' ? 'notes' : `notes:${owner}`);

function versionIn(versions: number[] | 'any'): SQL | undefined {
  return versions === 'any' ? undefined : inArray(notes.version, versions);
}

import { and, desc, eq, inArray, isNotNull, isNull, lt, type SQL, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { BaseLogger } from 'pino';
import type { NewNote, NoteChange } from '#contracts/notes.ts';
import { apartFromRequests } from '../../platform/lib/request-work.ts';
import { notes } from './table.ts';

/** So much of the body stands in a list, in characters. */
const EXCERPT = 140;
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

/**
 * Every query of the feature, prepared once.
 *
 * Named statements are planned once a connection: they run at the speed of hand-written ones. Where a pooler stands between, the names are dropped by the database room.
 */
export class NoteQueries {
  readonly #db: NodePgDatabase;
  readonly #log: Pick<BaseLogger, 'warn'>;
  readonly #list;
  readonly #search;
  readonly #read;
  readonly #create;
  #cleanedAt = 0;

  constructor(db: NodePgDatabase, log: Pick<BaseLogger, 'warn'>) {
    this.#db = db;
    this.#log = log;
    const page = (name: string, more?: SQL) =>
      db
        .select(summary)
        .from(notes)
        .where(and(isNull(notes.deletedAt), lt(notes.id, sql.placeholder('before')), more))
        .orderBy(desc(notes.id))
        .limit(sql.placeholder('limit'))
        .prepare(name);
    this.#list = page('notes_list');
    this.#search = page(
      'notes_search',
      sql`${notes.words} @@ to_tsquery('simple', ${sql.placeholder('words')})`,
    );
    this.#read = db
      .select(whole)
      .from(notes)
      .where(and(eq(notes.id, sql.placeholder('id')), isNull(notes.deletedAt)))
      .prepare('notes_read');
    this.#create = db
      .insert(notes)
      .values({ title: sql.placeholder('title'), body: sql.placeholder('body') })
      .returning(whole)
      .prepare('notes_create');
  }

  /**
   * One page, newest first.
   *
   * @param options.words An expression for `to_tsquery`, or undefined for all notes.
   * @param options.before Only notes with a smaller id: the key of the last row of the page before.
   */
  list(options: { words: string | undefined; before: number; limit: number }) {
    const { words, before, limit } = options;
    return words === undefined
      ? this.#list.execute({ before, limit })
      : this.#search.execute({ words, before, limit });
  }

  async read(id: number) {
    const [note] = await this.#read.execute({ id });
    return note;
  }

  async create({ title, body = '' }: NewNote) {
    const [note] = await this.#create.execute({ title, body });
    if (note === undefined) throw new Error('notes: an insert returned no row');
    this.#cleanNowAndThen();
    return note;
  }

  /** Changes a note that still has one of these versions. Returns undefined when there is none. */
  async change(id: number, versions: number[] | 'any', change: NoteChange) {
    const [note] = await this.#db
      .update(notes)
      .set({ ...change, version: sql`${notes.version} + 1`, updatedAt: sql`now()` })
      .where(and(eq(notes.id, id), isNull(notes.deletedAt), versionIn(versions)))
      .returning(whole);
    return note;
  }

  /** Deletes a note that has one of these versions. Returns whether there was one. */
  async delete(id: number, versions: number[] | 'any'): Promise<boolean> {
    const { rowCount } = await this.#db
      .update(notes)
      .set({ deletedAt: sql`now()` })
      .where(and(eq(notes.id, id), isNull(notes.deletedAt), versionIn(versions)));
    this.#cleanNowAndThen();
    return rowCount === 1;
  }

  /** Undoes a deletion. Returns undefined when there is nothing to restore. */
  async restore(id: number) {
    const [note] = await this.#db
      .update(notes)
      .set({ deletedAt: null })
      .where(and(eq(notes.id, id), isNotNull(notes.deletedAt)))
      .returning(whole);
    return note;
  }

  /**
   * Deleted notes go for good when somebody writes: no timer, and an idle server asks its database nothing. The write is
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
      // Two writers never wait for each other over rubbish.
      .for('update', { skipLocked: true });
    await this.#db.delete(notes).where(inArray(notes.id, expired));
  }
}

function versionIn(versions: number[] | 'any'): SQL | undefined {
  return versions === 'any' ? undefined : inArray(notes.version, versions);
}

import { and, asc, eq, gt, lte, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { BaseLogger } from 'pino';
import type { NewSilence, Silence } from '#contracts/operations/alerts.ts';
import { findUnavailable } from '../../platform/database/pool/unavailable.ts';
import { apartFromRequests } from '../../platform/lib/request-work.ts';
import { within } from '../../platform/lib/within.ts';
import type { Silenced } from './alerts.ts';
import { silences as table } from './table.ts';

type Row = typeof table.$inferSelect;

/** Maximum wait for the database, which may be the cause of the alerts. In milliseconds. */
const MAX_WAIT_MS = 1_000;
/** Ended silences stay for this time, as a record of what was silenced. */
const KEEP_ENDED = sql`interval '7 days'`;

/**
 * Silences, in the database and as last read from it.
 *
 * They are read when an alert changes and when an operator looks. No timer reads them, so a silence from another replica is known
 * here after the next such event.
 */
export class Silences implements Silenced {
  readonly #db: NodePgDatabase;
  readonly #log: Pick<BaseLogger, 'debug' | 'warn'>;
  #known: readonly Row[] = [];
  /** Number of changes: a read that began before a change must not undo it. */
  #changes = 0;
  #reading: Promise<void> | undefined;

  constructor(db: NodePgDatabase, log: Pick<BaseLogger, 'debug' | 'warn'>) {
    this.#db = db;
    this.#log = log;
  }

  async refresh(): Promise<void> {
    this.#reading ??= apartFromRequests(() => this.#read()).finally(() => {
      this.#reading = undefined;
    });
    await within(this.#reading, MAX_WAIT_MS, () => new Error('late')).catch(() => {});
  }

  until(alert: string, at: number): number | undefined {
    const ends = this.#known
      .filter((row) => row.alert === alert || row.alert === '*')
      .map((row) => row.expiresAt.getTime())
      .filter((end) => end > at);
    return ends.length > 0 ? Math.max(...ends) : undefined;
  }

  /** Those that have not ended, in the order in which they end. */
  list(at: number = Date.now()): Silence[] {
    return this.#known.filter((row) => row.expiresAt.getTime() > at).map(written);
  }

  /** @throws DatabaseUnavailableError */
  async create({ alert, comment, minutes }: NewSilence): Promise<Silence> {
    const expiresAt = new Date(Date.now() + minutes * 60_000);
    const [row] = await this.#db.insert(table).values({ alert, comment, expiresAt }).returning();
    if (row === undefined) throw new Error('silences: an insert returned no row');
    const old = lte(table.expiresAt, sql`now() - ${KEEP_ENDED}`);
    apartFromRequests(async () => this.#db.delete(table).where(old)).catch((err) =>
      this.#log.warn({ err }, 'old silences could not be removed; the next new silence tries again'),
    );
    this.#changes++;
    this.#known = [...this.#known, row].sort((a, b) => Number(a.expiresAt) - Number(b.expiresAt));
    return written(row);
  }

  /**
   * Ends a silence now. Its row stays for a while.
   *
   * @returns False if there is no active silence with this id.
   * @throws DatabaseUnavailableError
   */
  async end(id: number): Promise<boolean> {
    const { rowCount } = await this.#db
      .update(table)
      .set({ expiresAt: sql`now()` })
      .where(and(eq(table.id, id), gt(table.expiresAt, sql`now()`)));
    if (rowCount === 0) return false;
    this.#changes++;
    this.#known = this.#known.filter((row) => row.id !== id);
    return true;
  }

  async #read(): Promise<void> {
    const changes = this.#changes;
    const active = gt(table.expiresAt, sql`now()`);
    try {
      const rows = await this.#db.select().from(table).where(active).orderBy(asc(table.expiresAt));
      if (changes === this.#changes) this.#known = rows;
    } catch (err) {
      const text = 'silences cannot be read; the last known ones apply';
      const away = findUnavailable(err);
      if (away) this.#log.debug({ reason: away.reason }, text);
      else this.#log.warn({ err }, text);
    }
  }
}

const written = ({ createdAt, expiresAt, ...rest }: Row): Silence => ({
  ...rest,
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt.toISOString(),
});

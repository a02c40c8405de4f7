import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { asc, eq, gt, lte, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { BaseLogger } from 'pino';
import { createSilence, deleteSilence, listSilences, type Silence } from '#contracts/operations/alerts.ts';
import { findUnavailable } from '../../platform/database/pool/unavailable.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import { apartFromRequests } from '../../platform/lib/request-work.ts';
import type { Alerts, Silenced } from './alerts.ts';
import { silences as table } from './table.ts';

type Row = typeof table.$inferSelect;

/** Nobody who looks at alerts waits longer for a database that may be the reason for them, in milliseconds. */
const PATIENCE_MS = 1_000;
/** Ended silences are kept for so long, for whoever asks what was silent last night. */
const KEEP_ENDED = sql`interval '7 days'`;

/**
 * Silences, as they stand in the database, and as they were last seen there.
 *
 * They are read when an alert changes and when somebody looks, never by themselves. One that another replica made is
 * known here from the next such moment on.
 */
export class Silences implements Silenced {
  readonly #db: NodePgDatabase;
  readonly #log: Pick<BaseLogger, 'debug' | 'warn'>;
  #known: readonly Row[] = [];
  /** Grows with each change, so that a reading that began before one does not undo it. */
  #changes = 0;
  #flight: Promise<void> | undefined;

  constructor(db: NodePgDatabase, log: Pick<BaseLogger, 'debug' | 'warn'>) {
    this.#db = db;
    this.#log = log;
  }

  async refresh(): Promise<void> {
    this.#flight ??= apartFromRequests(() => this.#read()).finally(() => {
      this.#flight = undefined;
    });
    let late: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      late = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([this.#flight, patience]);
    clearTimeout(late);
  }

  until(alert: string, at: number): number | undefined {
    const ends = this.#known
      .filter((row) => row.alert === alert || row.alert === '*')
      .map((row) => row.expiresAt.getTime())
      .filter((end) => end > at);
    return ends.length > 0 ? Math.max(...ends) : undefined;
  }

  /** Those that have not ended, the next to end first. */
  list(at: number = Date.now()): Silence[] {
    return this.#known.filter((row) => row.expiresAt.getTime() > at).map(written);
  }

  /** @throws DatabaseUnavailableError */
  async create(silence: { alert: string; comment: string; minutes: number }): Promise<Silence> {
    const { alert, comment, minutes } = silence;
    const expiresAt = new Date(Date.now() + minutes * 60_000);
    const [row] = await this.#db.insert(table).values({ alert, comment, expiresAt }).returning();
    if (row === undefined) throw new Error('silences: an insert returned no row');
    apartFromRequests(() => this.#removeOld()).catch((err) =>
      this.#log.warn({ err }, 'old silences could not be removed; the next one that is made tries again'),
    );
    this.#changes++;
    this.#known = [...this.#known, row].sort((a, b) => Number(a.expiresAt) - Number(b.expiresAt));
    return written(row);
  }

  /**
   * Ends a silence now; its row stays for a while.
   *
   * @returns False where there is none of this id that has not ended.
   * @throws DatabaseUnavailableError
   */
  async end(id: number): Promise<boolean> {
    const { rowCount } = await this.#db
      .update(table)
      .set({ expiresAt: sql`now()` })
      .where(sql`${eq(table.id, id)} and ${gt(table.expiresAt, sql`now()`)}`);
    if (rowCount === 0) return false;
    this.#changes++;
    this.#known = this.#known.filter((row) => row.id !== id);
    return true;
  }

  async #removeOld(): Promise<void> {
    await this.#db.delete(table).where(lte(table.expiresAt, sql`now() - ${KEEP_ENDED}`));
  }

  async #read(): Promise<void> {
    const changes = this.#changes;
    try {
      const rows = await this.#db
        .select()
        .from(table)
        .where(gt(table.expiresAt, sql`now()`))
        .orderBy(asc(table.expiresAt));
      if (changes === this.#changes) this.#known = rows;
    } catch (err) {
      const away = findUnavailable(err);
      if (away) this.#log.debug({ reason: away.reason }, 'silences cannot be read; the last known ones hold');
      else this.#log.warn({ err }, 'silences cannot be read; the last known ones hold');
    }
  }
}

const written = ({ id, alert, comment, createdAt, expiresAt }: Row): Silence => ({
  id,
  alert,
  comment,
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt.toISOString(),
});

/** Silences over the wire. Reading works while the database is away; writing is answered 503. */
export const silenceRoutes: FastifyPluginAsyncTypebox<{
  instance: string;
  silences: Silences;
  alerts: Alerts;
}> = async (app, { instance, silences, alerts }) => {
  app.route({
    ...listSilences,
    config: { access: 'operator' },
    async handler() {
      await silences.refresh();
      return { instance, silences: silences.list() };
    },
  });

  app.route({
    ...createSilence,
    config: { access: 'operator' },
    async handler({ body }, reply) {
      if (body.alert !== '*' && !alerts.knows(body.alert)) {
        throw new ProblemError('validation', `There is no alert '${body.alert}', and '*' stands for all.`, {
          errors: [{ path: 'body/alert', message: 'names no alert' }],
        });
      }
      const silence = await silences.create(body);
      alerts.silencesChanged();
      return reply.code(201).send(silence);
    },
  });

  app.route({
    ...deleteSilence,
    config: { access: 'operator' },
    async handler({ params: { id } }, reply) {
      if (!(await silences.end(id))) {
        throw new ProblemError('not-found', `There is no silence ${id} that has not ended.`);
      }
      alerts.silencesChanged();
      return reply.code(204).send(null);
    },
  });
};

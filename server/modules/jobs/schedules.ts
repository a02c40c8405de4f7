import { and, eq, inArray, isNull, lte, sql } from 'drizzle-orm';
import type { Database } from '../../platform/database/pool/pool.ts';
import type { Transaction } from '../../platform/database/transaction.ts';
import type { JobDefinition } from '../../platform/jobs.ts';
import type { Queue } from './queue.ts';
import { jobDefinitions as table } from './table.ts';

/**
 * Milliseconds since 1970 by the database's clock, by which schedules are due. By that of a process that is a little behind, the
 * next time after now would be the one that is due already, again and again.
 */
const NOW = sql<number>`extract(epoch from now()) * 1000`.mapWith(Number);

export interface SchedulesParts {
  readonly database: Database;
  readonly queue: Queue;
  readonly definitions: ReadonlyMap<string, JobDefinition>;
  enqueue(tx: Transaction, name: string, input: unknown): Promise<unknown>;
}

/** When jobs with a schedule run next: a row each, so that however many processes there are, one enqueues it. */
export class Schedules {
  readonly #parts: SchedulesParts;

  constructor(parts: SchedulesParts) {
    this.#parts = parts;
  }

  /** Writes the schedules of the code where they differ. One that was due while nothing ran stays due. */
  async define(): Promise<void> {
    const { definitions, database } = this.#parts;
    const rows = await database.db
      .select({ name: table.name, cron: table.cron, timeZone: table.timeZone, now: NOW })
      .from(table)
      .where(inArray(table.name, [...definitions.keys()]));
    for (const { name, cron: before, timeZone: zoneBefore, now } of rows) {
      const schedule = definitions.get(name)?.schedule;
      const cron = schedule?.cron ?? null;
      const timeZone = schedule ? (schedule.timeZone ?? 'UTC') : null;
      if (cron === before && timeZone === zoneBefore) continue;
      const nextAt = schedule ? await this.#next(schedule, now) : null;
      await database.db.update(table).set({ cron, timeZone, nextAt }).where(eq(table.name, name));
    }
  }

  /** Enqueues what is due, each once however often it was missed. */
  async run(): Promise<void> {
    const { database, definitions, enqueue } = this.#parts;
    await database.transaction(async (tx) => {
      const due = await tx
        .select({ name: table.name, now: NOW })
        .from(table)
        .where(
          and(
            inArray(table.name, [...definitions.keys()]),
            lte(table.nextAt, sql`now()`),
            isNull(table.pausedAt),
          ),
        )
        .for('update', { skipLocked: true });
      for (const { name, now } of due) {
        const schedule = definitions.get(name)?.schedule;
        const nextAt = schedule ? await this.#next(schedule, now) : null;
        await tx.update(table).set({ nextAt }).where(eq(table.name, name));
        if (schedule) await enqueue(tx, name, schedule.input);
      }
    });
  }

  /** @throws Error where the cron expression or the time zone is none. */
  async #next(
    { cron, timeZone = 'UTC' }: NonNullable<JobDefinition['schedule']>,
    now: number,
  ): Promise<Date | null> {
    const boss = await this.#parts.queue.boss();
    const [next] = boss.previewSchedule(cron, { tz: timeZone, count: 1, from: new Date(now) });
    return next ?? null;
  }
}

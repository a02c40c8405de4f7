import { integer, jsonb, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';

const moment = (name: string) => timestamp(name, { withTimezone: true });

/** What is known of each job that the code defines, beside pg-boss's queue of that name. A row is made at the first start. */
export const jobDefinitions = pgTable('job_definitions', {
  name: text().primaryKey(),
  pausedAt: moment('paused_at'),
  /** Of its schedule; the three are null where there is none. */
  cron: text(),
  timeZone: text('time_zone'),
  nextAt: moment('next_at'),
  /** Written for jobs that pull from a service alone, because it is one row for all runs. */
  lastSuccessAt: moment('last_success_at'),
  lastFailureAt: moment('last_failure_at'),
  lastError: text('last_error'),
  /** In a row; 0 after a success. */
  failures: integer().notNull().default(0),
});

/** Results of steps, so that a job that was interrupted goes on where it was. They go with their job. */
export const jobSteps = pgTable(
  'job_steps',
  {
    jobId: uuid('job_id').notNull(),
    name: text().notNull(),
    result: jsonb(),
    createdAt: moment('created_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.name] })],
);

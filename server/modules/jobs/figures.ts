import type { BaseLogger } from 'pino';
import type { Database } from '../../platform/database/pool/pool.ts';
import { Durations, gauge, type Metric, outcomeCounter } from '../../platform/metrics/metrics.ts';
import { TableFigures } from '../../platform/metrics/table-figures.ts';
import type { AlertRule } from '../../platform/parts.ts';
import type { Outcome, Run } from './attempt.ts';
import { TABLE } from './queue.ts';

/** Of one queue, over all processes. */
export interface QueueFigures {
  readonly name: string;
  /** Due, and taken by no worker yet. */
  readonly waiting: number;
  /** Due later, those that are tried again among them. */
  readonly scheduled: number;
  readonly running: number;
  readonly dead: number;
  /** How long the oldest waiting job has been due. */
  readonly oldestSeconds: number;
  /** How long the longest running job has run. */
  readonly longestSeconds: number;
}

const BUCKETS = [0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 3_600, 14_400];
const OUTCOMES = ['success', 'failure', 'timeout', 'cancelled', 'lost', 'draining'] as const;

/** A job that has been due for longer is late. */
export const MAX_LATE_SECONDS = 300;

type OfQueue = (queue: QueueFigures) => number;
/** The sum of a figure over all queues. */
export const sum = (of: OfQueue) => (queues: readonly QueueFigures[]) =>
  queues.reduce((total, queue) => total + of(queue), 0);
/** The largest of a figure over all queues. */
export const most = (of: OfQueue) => (queues: readonly QueueFigures[]) => Math.max(0, ...queues.map(of));

/** Figures of jobs: counted in this process, and read from the table on demand. */
export class Figures extends TableFigures<readonly QueueFigures[]> {
  readonly #database: Database;
  readonly #names: () => readonly string[];
  readonly #running: (name: string) => number;
  readonly #ended = outcomeCounter(
    'job_attempts_total',
    'Attempts that have ended in this process, by how.',
    'queue',
    OUTCOMES,
  );
  readonly #durations = new Durations('job_attempt_duration_seconds', 'Attempts in this process.', BUCKETS, [
    'queue',
  ]);
  /** Requests that this process has answered so far. Set with the routes, because parts are made before Fastify is. */
  requests: () => number = () => 0;
  #attempts = 0;

  constructor(
    database: Database,
    log: Pick<BaseLogger, 'warn'>,
    names: () => readonly string[],
    running: (name: string) => number,
  ) {
    super(log);
    this.#database = database;
    this.#names = names;
    this.#running = running;
  }

  count(name: string, run: Run, outcome: Outcome): void {
    const timedOut = run.interruption === 'timeout' && 'timeout';
    this.#ended.count(name, outcome.kind === 'interrupted' ? outcome.why : timedOut || outcome.kind);
    this.#attempts++;
    this.#durations.observe({ queue: name }, Date.now() - run.began);
  }

  protected activity(): number {
    return this.requests() + this.#attempts;
  }

  /** Metrics of this process, and of the queues as they are. */
  metrics(): Metric[] {
    // The label `job` is Prometheus' own.
    const queues = (name: string, help: string, of: (queue: QueueFigures) => number) =>
      this.gauge(name, help, (found) => found.map((queue) => [{ queue: queue.name }, of(queue)] as const));
    return [
      queues('jobs_waiting', 'Jobs that are due and that no worker has taken.', ({ waiting }) => waiting),
      queues('jobs_scheduled', 'Jobs that are due later.', ({ scheduled }) => scheduled),
      queues('jobs_dead', 'Jobs whose last attempt failed.', ({ dead }) => dead),
      queues('jobs_oldest_waiting_seconds', 'How long the oldest has been due.', (one) => one.oldestSeconds),
      queues('jobs_longest_running_seconds', 'How long the longest has run.', (one) => one.longestSeconds),
      gauge('jobs_running', 'Jobs that this process runs.', () =>
        this.#names().map((queue) => [{ queue }, this.#running(queue)] as const),
      ),
      this.#ended.metric,
      this.#durations,
    ];
  }

  alertRules(): AlertRule[] {
    return [
      this.rule(
        'jobs-depth',
        'More than 50 jobs wait for a worker',
        { unit: 'jobs', threshold: 50, endsAt: 25 },
        sum(({ waiting }) => waiting),
      ),
      this.rule(
        'jobs-late',
        'A job has been due for more than 5 minutes',
        { unit: 's', threshold: MAX_LATE_SECONDS, endsAt: 60 },
        most(({ oldestSeconds }) => oldestSeconds),
      ),
      this.rule(
        'jobs-long',
        'A job has run for more than 4 hours',
        { unit: 's', threshold: 14_400, endsAt: 14_400 },
        most(({ longestSeconds }) => longestSeconds),
      ),
      this.rule(
        'jobs-dead',
        'Jobs have failed for good, and wait for a decision',
        { unit: 'jobs', threshold: 0, endsAt: 0 },
        sum(({ dead }) => dead),
      ),
    ];
  }

  protected async query(): Promise<readonly QueueFigures[]> {
    const names = this.#names();
    if (names.length === 0) return [];
    // Three reads of partial indexes: jobs that are done are never read.
    const { rows } = await this.#database.pool.query(
      `select n.name,
        coalesce(q.waiting, 0)::int as waiting, coalesce(q.scheduled, 0)::int as scheduled,
        coalesce(a.running, 0)::int as running, coalesce(f.dead, 0)::int as dead,
        coalesce(extract(epoch from now() - q.oldest), 0)::float8 as "oldestSeconds",
        coalesce(extract(epoch from now() - a.first), 0)::float8 as "longestSeconds"
      from unnest($1::text[]) as n(name)
      left join (select name, count(*) filter (where start_after <= now()) as waiting,
          count(*) filter (where start_after > now()) as scheduled,
          min(start_after) filter (where start_after <= now()) as oldest
        from ${TABLE} where state < 'active' and not blocked and name = any($1) group by name) q using (name)
      left join (select name, count(*) as running, min(started_on) as first
        from ${TABLE} where state = 'active' and name = any($1) group by name) a using (name)
      left join (select name, count(*) as dead
        from ${TABLE} where state = 'failed' and name = any($1) group by name) f using (name)
      order by n.name`,
      [names],
    );
    return rows;
  }
}

import type { BaseLogger } from 'pino';
import type { Database } from '../../platform/database/pool/pool.ts';
import { findUnavailable } from '../../platform/database/pool/unavailable.ts';
import { apartFromRequests } from '../../platform/lib/request-work.ts';
import { counter, Durations, type Family, gauge, type Metric } from '../../platform/metrics/metrics.ts';
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
  /** How long the oldest has been due, and the longest has run, in seconds. */
  readonly oldestSeconds: number;
  readonly longestSeconds: number;
}

const BUCKETS = [0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 3_600, 14_400];
/** Rules are judged again and again while requests come: the table is asked this often at most, in milliseconds. */
const FRESH_MS = 15_000;
const STALE_MS = 120_000;

const OUTCOMES = ['success', 'failure', 'timeout', 'cancelled', 'lost', 'draining'] as const;
type Ending = (typeof OUTCOMES)[number];

/** Figures of jobs: counted in this process, and read from the table on demand. */
export class Figures {
  readonly #database: Database;
  readonly #log: Pick<BaseLogger, 'warn'>;
  readonly #names: () => readonly string[];
  readonly #running: (name: string) => number;
  readonly #ended = new Map<string, Record<Ending, number>>();
  readonly #durations = new Durations('job_attempt_duration_seconds', 'Attempts in this process.', BUCKETS, [
    'queue',
  ]);
  #last: { at: number; queues: readonly QueueFigures[] } | undefined;
  #flight: Promise<readonly QueueFigures[]> | undefined;
  /** Requests that this process has answered so far. */
  requests: () => number = () => 0;
  #attempts = 0;
  #activity = 0;

  constructor(
    database: Database,
    log: Pick<BaseLogger, 'warn'>,
    names: () => readonly string[],
    running: (name: string) => number,
  ) {
    this.#database = database;
    this.#log = log;
    this.#names = names;
    this.#running = running;
  }

  count(name: string, run: Run, outcome: Outcome): void {
    const ended = this.#ended.get(name) ?? {
      success: 0,
      failure: 0,
      timeout: 0,
      cancelled: 0,
      lost: 0,
      draining: 0,
    };
    this.#ended.set(name, ended);
    const ending =
      outcome.kind === 'interrupted'
        ? outcome.why
        : run.interruption === 'timeout'
          ? 'timeout'
          : outcome.kind;
    ended[ending]++;
    this.#attempts++;
    this.#durations.observe({ queue: name }, Date.now() - run.began);
  }

  /**
   * Asks the table; those who ask at once share the answer.
   *
   * @throws DatabaseUnavailableError
   */
  read(): Promise<readonly QueueFigures[]> {
    this.#flight ??= apartFromRequests(() => this.#read()).finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  /** Metrics of this process, and of the queues as they are. */
  metrics(): Metric[] {
    // The label `job` is Prometheus' own.
    const queues = (name: string, help: string, of: (queue: QueueFigures) => number): Family => ({
      name,
      help,
      type: 'gauge',
      read: async () => {
        const found = this.#names().length === 0 ? [] : await this.#tolerant();
        return found.map((queue) => ({ labels: { queue: queue.name }, value: of(queue) }));
      },
    });
    return [
      queues('jobs_waiting', 'Jobs that are due and that no worker has taken.', ({ waiting }) => waiting),
      queues('jobs_scheduled', 'Jobs that are due later.', ({ scheduled }) => scheduled),
      queues('jobs_dead', 'Jobs whose last attempt failed.', ({ dead }) => dead),
      queues('jobs_oldest_waiting_seconds', 'How long the oldest has been due.', (one) => one.oldestSeconds),
      queues('jobs_longest_running_seconds', 'How long the longest has run.', (one) => one.longestSeconds),
      gauge('jobs_running', 'Jobs that this process runs.', () =>
        this.#names().map((queue) => [{ queue }, this.#running(queue)] as const),
      ),
      counter('job_attempts_total', 'Attempts that have ended in this process, by how.', () =>
        [...this.#ended].flatMap(([queue, ended]) =>
          OUTCOMES.map((outcome) => [{ queue, outcome }, ended[outcome]] as const),
        ),
      ),
      this.#durations,
    ];
  }

  alertRules(): AlertRule[] {
    const most = (of: (queue: QueueFigures) => number) => () => {
      const queues = this.#recent();
      return queues && Math.max(0, ...queues.map(of));
    };
    const sum = (of: (queue: QueueFigures) => number) => () =>
      this.#recent()?.reduce((total, queue) => total + of(queue), 0) ?? null;
    const warning = { severity: 'warning', forSeconds: 60 } as const;
    return [
      {
        ...warning,
        name: 'jobs-depth',
        summary: 'More than 50 jobs wait for a worker',
        unit: 'jobs',
        threshold: 50,
        endsAt: 25,
        value: sum(({ waiting }) => waiting),
      },
      {
        ...warning,
        name: 'jobs-late',
        summary: 'A job has been due for more than 5 minutes',
        unit: 's',
        threshold: 300,
        endsAt: 60,
        value: most(({ oldestSeconds }) => oldestSeconds),
      },
      {
        ...warning,
        name: 'jobs-long',
        summary: 'A job has run for more than 4 hours',
        unit: 's',
        threshold: 14_400,
        endsAt: 14_400,
        value: most(({ longestSeconds }) => longestSeconds),
      },
      {
        ...warning,
        name: 'jobs-dead',
        summary: 'Jobs have failed for good, and wait for a decision',
        unit: 'jobs',
        threshold: 0,
        endsAt: 0,
        value: sum(({ dead }) => dead),
      },
    ];
  }

  /**
   * What was last read. It is read again, to be newer at the next look, where requests have come or attempts have ended since:
   * rules are judged after a statement as well, so that reading after each look would never end.
   */
  #recent(): readonly QueueFigures[] | null {
    if (this.#names().length === 0) return [];
    const age = this.#last ? Math.abs(Date.now() - this.#last.at) : Number.POSITIVE_INFINITY;
    const activity = this.requests() + this.#attempts;
    if (age > FRESH_MS && activity !== this.#activity && !this.#flight) {
      this.#activity = activity;
      this.#tolerant();
    }
    return age < STALE_MS && this.#last ? this.#last.queues : null;
  }

  async #tolerant(): Promise<readonly QueueFigures[]> {
    try {
      return await this.read();
    } catch (err) {
      if (!findUnavailable(err)) this.#log.warn({ err }, 'jobs: the queues could not be counted');
      return [];
    }
  }

  async #read(): Promise<readonly QueueFigures[]> {
    const names = this.#names();
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
    this.#last = { at: Date.now(), queues: rows };
    return rows;
  }
}

import { type SQL, sql } from 'drizzle-orm';
import type { PgBoss } from 'pg-boss';
import type { Database } from '../../platform/database/pool/pool.ts';
import type { Transaction } from '../../platform/database/transaction.ts';
import type { JobDefinition } from '../../platform/jobs.ts';
import { apartFromRequests } from '../../platform/lib/request-work.ts';

/** Where pg-boss keeps the jobs of all queues that have no table of their own; ours have none. */
export const TABLE = 'pgboss.job_common';
export const CHANNEL = 'jobs';
/**
 * A job whose worker has not been heard of for so long is run elsewhere, whatever its own time-out; workers tell of themselves
 * three times as often, while they run anything. In milliseconds.
 */
export const LEASE_MS = 15_000;
/** How often a job may lose its worker besides its retries: by then it is the job that kills them. */
const MAX_LOST_WORKERS = 3;
const DAY_S = 86_400;
const KEEP_DONE = '7 days';
const KEEP_DEAD = '30 days';
const PURGE_BATCH = 500;

/** A job that the code defines, with the settings where it says nothing. */
export type DefinedJob = JobDefinition &
  Required<Pick<JobDefinition, 'concurrency' | 'timeoutMs' | 'retries' | 'backoff' | 'unique'>>;

/** A job that this process has taken. With its attempt it is a claim: it is lost once another process takes the job. */
export interface Claim {
  readonly id: string;
  readonly name: string;
  readonly data: unknown;
  readonly retryCount: number;
}

export interface NewJob {
  readonly data: unknown;
  readonly at?: Date | undefined;
  readonly key?: string | undefined;
  readonly priority?: number | undefined;
}

/** What there is to do. Times are from now on by the database's clock, in milliseconds; infinite: nothing. */
export interface Outlook {
  /** Names of jobs that are due. */
  readonly due: readonly string[];
  readonly nextMs: number;
  /** When the first lease of another process ends. */
  readonly leaseMs: number;
  readonly scheduleMs: number;
}

const orNever = (ms: unknown): number => (ms === null ? Number.POSITIVE_INFINITY : Number(ms));

/** pg-boss's schema in drizzle/0005_jobs_pg_boss.sql. A later one is a migration that updates the row as well. */
const SCHEMA = 43;

/**
 * The table of jobs: pg-boss's, and its statements to add, take and end jobs. It is loaded where a job is defined, when its queue
 * is written. What pg-boss would do by polling (leases, the next due time, old rows) is a statement of ours, run when there is a
 * reason.
 */
export class Queue {
  readonly #database: Database;
  readonly #onError: (error: unknown) => void;
  #boss: Promise<PgBoss> | undefined;

  /** @param onError Told of what pg-boss reports. */
  constructor(database: Database, onError: (error: unknown) => void) {
    this.#database = database;
    this.#onError = onError;
  }

  /** Makes and changes queues so that they are as the code defines them. One statement where nothing has changed. */
  async define(jobs: readonly DefinedJob[]): Promise<void> {
    const names = jobs.map(({ name }) => name);
    const { rows } = await this.#query(
      `select name, policy, retry_limit as "retryLimit", retry_delay as "retryDelay",
        retry_delay_max as "retryDelayMax", expire_seconds as "expireInSeconds"
        from pgboss.queue where name = any($1)`,
      [names],
    );
    let created = false;
    for (const { name, unique, retries, backoff, timeoutMs } of jobs) {
      const varying = {
        retryLimit: retries,
        retryDelay: backoff.seconds,
        retryDelayMax: backoff.max,
        // Ours ends first: the process that runs it, or the lease.
        expireInSeconds: Math.min(Math.ceil((timeoutMs + LEASE_MS) / 1_000), DAY_S - 1),
      };
      const options = {
        ...varying,
        retryBackoff: true,
        deleteAfterSeconds: 7 * DAY_S,
        heartbeatSeconds: LEASE_MS / 1_000,
      };
      const policy = unique ? 'exclusive' : 'standard';
      const found = rows.find((row) => row.name === name);
      if (!found) {
        await (await this.boss()).createQueue(name, { ...options, policy });
        created = true;
      } else if (Object.entries(varying).some(([key, value]) => found[key] !== value)) {
        await (await this.boss()).updateQueue(name, options);
      }
      // pg-boss does not change a policy: jobs carry it, so that those of before end by their own.
      if (found && found.policy !== policy)
        await this.#query('update pgboss.queue set policy = $2 where name = $1', [name, policy]);
    }
    // It reads all queues when it starts; one that it does not know would be asked for in the middle of a transaction.
    if (created) this.#boss = undefined;
    await this.#query('insert into job_definitions (name) select unnest($1::text[]) on conflict do nothing', [
      names,
    ]);
  }

  /**
   * Adds jobs and notifies the workers, in one statement.
   *
   * @param queries Queries of a WITH: the first of `jobs` is added for each row of the one that is called `input`, with that as its input.
   * @returns The ids of those that were added: all but those that a unique job kept out.
   */
  async add(tx: Transaction, name: string, jobs: readonly NewJob[], queries?: SQL): Promise<string[]> {
    const boss = await this.boss();
    const due = jobs.reduce((first, { at }) => Math.min(first, at?.getTime() ?? 0), Number.POSITIVE_INFINITY);
    const db = {
      // pg-boss inserts a list of jobs in JSON, its one parameter, and returns their ids.
      async executeSql(text: string, [list]: unknown[] = []) {
        const each = sql`(select coalesce(jsonb_agg(jsonb_set(${list}::jsonb -> 0, '{data,input}', to_jsonb(input))), '[]')
          from input)`;
        const insert = sql.join(
          text.split('$1').map((part) => sql.raw(part)),
          queries ? each : sql`${list}`,
        );
        return tx.execute(sql`with ${queries && sql`${queries},`} added as (${insert})
          select id, pg_notify(${CHANNEL}, ${`due ${due}`}) from added`);
      },
    };
    const rows = jobs.map(({ data, at, key, priority }) => ({
      data: data as object,
      ...(at && { startAfter: at }),
      ...(key !== undefined && { singletonKey: key }),
      ...(priority !== undefined && { priority }),
    }));
    return (await boss.insert(name, rows, { db, returnId: true })) ?? [];
  }

  /** @param mine Ids of the jobs that this process runs. */
  async look(names: readonly string[], mine: readonly string[]): Promise<Outlook> {
    const { rows } = await this.#query(
      `select
        array(select n from unnest($1::text[]) n
          where not exists (select from job_definitions d where d.name = n and d.paused_at is not null)
            and exists (select from ${TABLE} j
              where j.name = n and j.state < 'active' and not j.blocked and j.start_after <= now())) as due,
        (select extract(epoch from start_after - now()) * 1000 from ${TABLE}
          where state < 'active' and not blocked and start_after > now() and name = any($1)
          order by start_after limit 1) as next,
        (select extract(epoch from min(heartbeat_on) - now()) * 1000 from ${TABLE}
          where state = 'active' and name = any($1) and id <> all($2::uuid[])) as lease,
        (select extract(epoch from min(next_at) - now()) * 1000 from job_definitions
          where name = any($1) and paused_at is null) as schedule`,
      [names, mine],
    );
    const [{ due, next, lease, schedule }] = rows as [Record<string, unknown>];
    return {
      due: due as string[],
      nextMs: orNever(next),
      leaseMs: orNever(lease) + LEASE_MS,
      scheduleMs: orNever(schedule),
    };
  }

  /** Takes up to `max` jobs that are due. */
  async take(name: string, max: number): Promise<Claim[]> {
    return (await this.boss()).fetch<unknown>(name, { batchSize: max }) as Promise<Claim[]>;
  }

  async complete(name: string, claims: readonly Claim[]): Promise<void> {
    await (await this.boss()).complete(name, claims.map(fence));
  }

  /** Ends an attempt: another follows after the pause, unless it was the last. */
  async fail(claim: Claim, error: object): Promise<void> {
    await (await this.boss()).fail(claim.name, [fence(claim)], error);
  }

  /** Ends a job that no attempt would turn. */
  async bury({ name, id, retryCount }: Claim, error: object): Promise<void> {
    await this.#query(
      `update ${TABLE} set state = 'failed', completed_on = now(), output = $4
        where name = $1 and id = $2 and retry_count = $3 and state = 'active'`,
      [name, id, retryCount, JSON.stringify(error)],
    );
  }

  /**
   * Renews the leases of jobs that run here, and writes their progress.
   *
   * @returns The ids whose leases were renewed; the other jobs were cancelled, or run elsewhere by now.
   */
  async renew(claims: readonly (Claim & { progress: object | undefined })[]): Promise<Set<string>> {
    const { rows } = await this.#query(
      `update ${TABLE} j set heartbeat_on = now(), output = coalesce(c.progress, j.output)
        from unnest($1::text[], $2::uuid[], $3::int[], $4::jsonb[]) as c(name, id, retry_count, progress)
        where j.name = c.name and j.id = c.id and j.retry_count = c.retry_count and j.state = 'active'
        returning j.id`,
      [...columns(claims), claims.map(({ progress }) => (progress ? JSON.stringify(progress) : null))],
    );
    return new Set(rows.map(({ id }) => id));
  }

  /** Hands back jobs that this process has no time to finish. The attempt does not count. */
  async handBack(claims: readonly Claim[]): Promise<void> {
    await this.#query(
      `with back as (
        update ${TABLE} j set state = 'retry', started_on = null, heartbeat_on = null, start_after = now()
          from unnest($1::text[], $2::uuid[], $3::int[]) as c(name, id, retry_count)
          where j.name = c.name and j.id = c.id and j.retry_count = c.retry_count and j.state = 'active'
          returning 1)
      select pg_notify('${CHANNEL}', 'due 0') from (select from back limit 1) one`,
      columns(claims),
    );
  }

  /** Requeues jobs whose worker is gone. A job may lose three workers before that counts as a retry. */
  async rescue(names: readonly string[]): Promise<{ name: string; id: string; state: string }[]> {
    const { rows } = await this.#query(
      `with lost as (
        select j.name, j.id, least(j.retry_limit + 1, q.retry_limit + ${MAX_LOST_WORKERS}) as retry_limit
          from ${TABLE} j join pgboss.queue q using (name) where state = 'active' and name = any($1)
          and heartbeat_on < now() - interval '${LEASE_MS} milliseconds' for update of j skip locked)
      update ${TABLE} j set
        retry_limit = lost.retry_limit,
        state = (case when retry_count < lost.retry_limit then 'retry' else 'failed' end)::pgboss.job_state,
        completed_on = case when retry_count < lost.retry_limit then null else now() end,
        start_after = now(), heartbeat_on = null,
        output = jsonb_build_object('message', 'The process that ran it is gone', 'at', now())
      from lost where j.name = lost.name and j.id = lost.id
      returning j.name, j.id, j.state`,
      [names],
    );
    return rows;
  }

  /** Cancels a job that has not ended, and tells the process that runs it. @returns Whether there was one. */
  cancel(name: string, id: string): Promise<boolean> {
    return this.#change(
      name,
      id,
      "state = 'cancelled', completed_on = now() where name = $1 and id = $2 and state < 'completed'",
      `cancel ${id}`,
    );
  }

  /** Has a dead job tried once more, at once. @returns Whether there was one. */
  revive(name: string, id: string): Promise<boolean> {
    return this.#change(
      name,
      id,
      `state = 'retry', completed_on = null, start_after = now(), retry_limit = retry_count + 1
        where name = $1 and id = $2 and state = 'failed'`,
      'due 0',
    );
  }

  /** Tells all workers something: `changed` has them look. */
  async tell(payload: string): Promise<void> {
    await this.#query('select pg_notify($1, $2)', [CHANNEL, payload]);
  }

  async #change(name: string, id: string, change: string, payload: string): Promise<boolean> {
    const { rows } = await this.#query(
      `with changed as (update ${TABLE} set ${change} returning 1)
      select pg_notify('${CHANNEL}', $3) from changed`,
      [name, id, payload],
    );
    return rows.length > 0;
  }

  /** Deletes a job that has ended. @returns Whether there was one. */
  async discard(name: string, id: string): Promise<boolean> {
    const { rows } = await this.#query(
      `with gone as (
        delete from ${TABLE} where name = $1 and id = $2 and completed_on is not null returning id),
      steps as (delete from job_steps using gone where job_id = gone.id)
      select 1 from gone`,
      [name, id],
    );
    return rows.length > 0;
  }

  /** Deletes a batch of what has been kept long enough. @returns Whether there may be more. */
  async purge(): Promise<boolean> {
    const { rowCount } = await this.#query(
      `with old as (
        select name, id from ${TABLE}
          where completed_on < now() - interval '${KEEP_DONE}'
            and (state <> 'failed' or completed_on < now() - interval '${KEEP_DEAD}')
          order by completed_on limit ${PURGE_BATCH} for update skip locked),
      gone as (delete from ${TABLE} j using old where j.name = old.name and j.id = old.id returning j.id),
      steps as (delete from job_steps using gone where job_id = gone.id)
      select 1 from gone`,
    );
    return (rowCount ?? 0) >= PURGE_BATCH;
  }

  /** pg-boss, with nothing of it that runs by itself: no migrations, no supervision, no cron, no polls, no timers. */
  boss(): Promise<PgBoss> {
    this.#boss ??= apartFromRequests(() => this.#start()).catch((error) => {
      this.#boss = undefined;
      throw error;
    });
    return this.#boss;
  }

  async #start(): Promise<PgBoss> {
    const { PgBoss } = await import('pg-boss');
    const boss = new PgBoss({
      db: { executeSql: (text, values) => this.#query(text, values) },
      schema: 'pgboss',
      migrate: false,
      supervise: false,
      schedule: false,
      reindex: false,
      // Its two intervals refresh a cache of queues, which only `define` changes, and count what its own workers do.
      clock: {
        now: Date.now,
        setTimeout,
        clearTimeout,
        setInterval: () => undefined as never,
        clearInterval: () => {},
      },
    });
    boss.on('error', this.#onError);
    // No migration writes it: on tables that a platform made, one that changes rows cannot be told from one that has.
    await this.#query('insert into pgboss.version (version) values ($1) on conflict do nothing', [SCHEMA]);
    return boss.start();
  }

  #query(text: string, values?: unknown[]) {
    return this.#database.pool.query(text, values);
  }
}

const fence = ({ id, retryCount }: Claim) => ({ id, retryCount });

const columns = (claims: readonly Claim[]) => [
  claims.map(({ name }) => name),
  claims.map(({ id }) => id),
  claims.map(({ retryCount }) => retryCount),
];

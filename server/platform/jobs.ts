import type { SQL } from 'drizzle-orm';
import type { FastifyRequest } from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { Transaction } from './database/transaction.ts';
import type { Logger } from './logging/logger.ts';
import type { Actor } from './parts.ts';

/**
 * Work that outlives a request: background jobs, kept in the database until they are done. A module such as jobs supplies it;
 * `server/app.ts` hands it on.
 *
 * Every job runs at least once, and twice where a process dies at the wrong moment: what a job does must bear that.
 */
export interface Jobs {
  /**
   * Declares a job. To be called while the application is composed, in every process alike.
   *
   * @throws Error where the name is taken, or is not made of lower-case letters, digits and hyphens.
   */
  define<Schema extends TSchema>(definition: JobDefinition<Schema>): Job<Static<Schema>>;
  /**
   * Enqueues a job: it runs once the caller's transaction is committed, and never where that is rolled back.
   *
   * @param tx `platform.database.transaction((tx) => …)`.
   * @returns The id of the job; undefined where it is `unique` and there is one already that has not ended.
   * @throws Error where the input does not fit the job's schema.
   */
  enqueue<Input>(
    tx: Transaction,
    job: Job<Input>,
    input: Input,
    options?: EnqueueOptions,
  ): Promise<string | undefined>;
  /** Enqueues many of one job in one statement. @returns How many were added. */
  enqueueMany<Input>(
    tx: Transaction,
    job: Job<Input>,
    inputs: readonly Input[],
    options?: Omit<EnqueueOptions, 'key'>,
  ): Promise<number>;
  /**
   * Writes rows and enqueues a job for each, in one statement. Inputs are checked when the jobs run.
   *
   * @param queries Queries of a WITH. The rows of the one that is called `input` are the inputs, by the names of their columns:
   *   ``sql`input as (insert into orders (…) values (…) returning id)` ``.
   * @returns How many jobs were enqueued.
   */
  enqueueRows<Input>(
    tx: Transaction,
    job: Job<Input>,
    queries: SQL,
    options?: Omit<EnqueueOptions, 'key'>,
  ): Promise<number>;
}

export interface JobDefinition<Schema extends TSchema = TSchema> {
  /** Of the queue, and in metrics and on screens. */
  readonly name: string;
  /** What it is given: TypeBox. It is checked when the job is enqueued, and again when it runs, by the code of that day. */
  readonly input: Schema;
  /** How many of it one process runs at once; a setting of the module limits all jobs together. */
  readonly concurrency?: number;
  /** How long one attempt may take, in milliseconds. Default: a setting of the module. */
  readonly timeoutMs?: number;
  /** Attempts after the first. Default: a setting of the module. */
  readonly retries?: number;
  /** The pause before the next attempt, in seconds: it doubles, with jitter, up to `max`. Default: 1 and 3,600. */
  readonly backoff?: { readonly seconds: number; readonly max: number };
  /** At most one that has not ended, for each `key`. */
  readonly unique?: boolean;
  /** Runs by itself. What was missed while nothing ran is run once. */
  readonly schedule?: {
    /** Five fields, as `0 3 * * *`. */
    readonly cron: string;
    /** IANA's name. Default: UTC. */
    readonly timeZone?: string;
    readonly input: Static<Schema>;
  };
  /** The service that it pulls from, for `GET /api/sync/health` and `main.js resync`. */
  readonly pullsFrom?: string;
  /**
   * Does the work.
   *
   * @throws What makes the attempt a failed one; a {@link PermanentJobError} is not tried again.
   */
  run(context: JobRun<Static<Schema>>): Promise<void>;
}

/** A job that is defined. */
export interface Job<Input> {
  readonly name: string;
  /** Never set: it carries the type of the input. */
  readonly takes?: (input: Input) => void;
}

export interface EnqueueOptions {
  /** Not before this time. */
  readonly at?: Date;
  /** What a `unique` job is unique by. */
  readonly key?: string;
  /** The larger, the earlier, among jobs of the same name. */
  readonly priority?: number;
  /** On whose behalf: a request, or the actor of the job that enqueues it. */
  readonly actor?: Actor | FastifyRequest;
}

/** What a job is told, and what it can do, while it runs. */
export interface JobRun<Input> {
  readonly id: string;
  readonly input: Input;
  /** 1 for the first. */
  readonly attempt: number;
  /** The same in every attempt, for services that do a thing once for each key. */
  readonly idempotencyKey: string;
  readonly actor: Actor;
  /** Carries the job's name and id, and the request that it comes from. */
  readonly log: Logger;
  /** Aborted when the job is cancelled, takes too long, runs elsewhere by now, or must end with the process. */
  readonly signal: AbortSignal;
  /** Tells operators how far it is; written every few seconds. */
  progress(done: number, total?: number, note?: string): void;
  /**
   * Does a part of the work once. Its result is stored, and the next attempt uses it; a step whose result could not be stored
   * runs again.
   *
   * @param name Unique within the job, and the same in each attempt.
   * @returns What `fn` returned, as JSON keeps it.
   */
  step<T>(name: string, fn: () => Promise<T>): Promise<T>;
}

/** Thrown by a job that would fail each time. */
export class PermanentJobError extends Error {
  override readonly name = 'PermanentJobError';
}

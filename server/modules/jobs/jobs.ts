import { eq, type SQL, sql } from 'drizzle-orm';
import type { FastifyRequest } from 'fastify';
import type { Static, TSchema } from 'typebox';
import { findUnavailable } from '../../platform/database/pool/unavailable.ts';
import type { Transaction } from '../../platform/database/transaction.ts';
import type { EnqueueOptions, Job, JobDefinition, Jobs } from '../../platform/jobs.ts';
import { isStorable } from '../../platform/lib/storable.ts';
import type { Actor, Events, Platform } from '../../platform/parts.ts';
import type { Envelope, Outcome, Run } from './attempt.ts';
import { Figures } from './figures.ts';
import { Notice } from './notice.ts';
import { type DefinedJob, type NewJob, Queue } from './queue.ts';
import { Schedules } from './schedules.ts';
import type { jobsSettings } from './settings.ts';
import { jobDefinitions } from './table.ts';
import { Worker } from './worker.ts';

const NAME = /^[a-z][a-z0-9-]{0,99}$/;
const BACKOFF = { seconds: 1, max: 3_600 };
/** As of JOBS_TIMEOUT_MS; a timer of more than 24 days would fire at once. */
const MAX_TIMEOUT_MS = 86_400_000;
/** As deep as an input may be: PostgreSQL and whatever shows it go through it level by level. */
const MAX_DEPTH = 1_000;
/** After a failure of the database at the start, in milliseconds. */
const BEGIN_AGAIN_MS = 1_000;

type Check = (input: unknown) => string | undefined;

/** The jobs of this process: defined, enqueued and run. */
export class JobService implements Jobs {
  readonly definitions = new Map<string, DefinedJob>();
  readonly queue: Queue;
  readonly figures: Figures;
  readonly notice: Notice;
  readonly platform: Platform<typeof jobsSettings>;
  readonly #schedules: Schedules;
  readonly #checks = new Map<string, Check>();
  #defined: Promise<void> | undefined;
  #worker: Worker | undefined;
  #begun = false;
  #stopBy: number | undefined;

  constructor(platform: Platform<typeof jobsSettings>, events?: Events) {
    const { database, log } = platform;
    this.platform = platform;
    this.notice = new Notice(platform, events);
    this.queue = new Queue(database, (err) => log.error({ err }, 'pg-boss reports an error'));
    this.#schedules = new Schedules({
      database,
      queue: this.queue,
      definitions: this.definitions,
      enqueue: (tx, name, input) => this.enqueue(tx, { name }, input),
    });
    this.figures = new Figures(
      database,
      log,
      () => [...this.definitions.keys()],
      (name) => this.#worker?.runningOf(name) ?? 0,
    );
  }

  /** The worker of this process, once it has begun. */
  get worker(): Worker | undefined {
    return this.#worker;
  }

  define<Schema extends TSchema>(definition: JobDefinition<Schema>): Job<Static<Schema>> {
    const { name } = definition;
    if (!NAME.test(name))
      throw new Error(`A job's name is made of lower-case letters, digits and hyphens: '${name}' is not.`);
    const { jobs } = this.platform.config;
    const { timeoutMs = jobs.timeoutMs } = definition;
    if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS))
      throw new Error(`The time-out of job '${name}' is not between 1 ms and a day: ${timeoutMs}.`);
    if (this.definitions.has(name)) throw new Error(`Two jobs are called '${name}': rename one of them.`);
    this.definitions.set(name, {
      ...(definition as unknown as JobDefinition),
      timeoutMs,
      concurrency: definition.concurrency ?? jobs.concurrency,
      retries: definition.retries ?? jobs.retries,
      backoff: definition.backoff ?? BACKOFF,
      unique: definition.unique ?? false,
    });
    return { name };
  }

  async enqueue<Input>(
    tx: Transaction,
    job: Job<Input>,
    input: Input,
    options: EnqueueOptions = {},
  ): Promise<string | undefined> {
    const [id] = await this.#add(tx, job.name, [input], options);
    return id;
  }

  async enqueueMany<Input>(
    tx: Transaction,
    job: Job<Input>,
    inputs: readonly Input[],
    options: Omit<EnqueueOptions, 'key'> = {},
  ): Promise<number> {
    return inputs.length === 0 ? 0 : (await this.#add(tx, job.name, inputs, options)).length;
  }

  async enqueueRows<Input>(
    tx: Transaction,
    job: Job<Input>,
    queries: SQL,
    options: Omit<EnqueueOptions, 'key'> = {},
  ): Promise<number> {
    return (await this.#add(tx, job.name, [null], options, queries)).length;
  }

  async #add(
    tx: Transaction,
    name: string,
    inputs: readonly unknown[],
    options: EnqueueOptions,
    queries?: SQL,
  ) {
    const { at, key, priority } = options;
    if (key !== undefined && !this.#definition(name).unique)
      throw new Error(`A key is for jobs that are unique, and '${name}' is not.`);
    if (at && Number.isNaN(at.getTime())) throw new Error(`The time of job '${name}' is no time: ${at}.`);
    const actor = actorOf(options.actor);
    const jobs: NewJob[] = [];
    for (const input of inputs) {
      const unstorable = whatIsUnstorable({ input, actor, key });
      if (unstorable) throw new TypeError(`The input of job '${name}' cannot be stored: ${unstorable}.`);
      const wrong = queries ? undefined : await this.check(name, input);
      if (wrong !== undefined) throw new Error(`The input of job '${name}' is not valid: ${wrong}`);
      jobs.push({ data: { input, actor } satisfies Envelope, at, key, priority });
    }
    await this.ready();
    tx.afterCommit(() => this.lookWithoutListener());
    this.notice.changed();
    return this.queue.add(tx, name, jobs, queries);
  }

  /** Has this process look for jobs where no notification tells it: behind a transaction pooler, and after a lost connection. */
  lookWithoutListener(): void {
    if (!this.platform.listener.available) this.#worker?.look();
  }

  /** @returns What is wrong with an input; undefined where it is valid. */
  async check(name: string, input: unknown): Promise<string | undefined> {
    let check = this.#checks.get(name);
    if (check === undefined) {
      const { compileCheck } = await import('../../platform/http/schemas.ts');
      check = compileCheck(this.#definition(name).input, 'input');
      this.#checks.set(name, check);
    }
    return check(input);
  }

  /** The queues are in the database as the code defines them. */
  ready(): Promise<void> {
    this.#defined ??= this.#writeDefinitions().catch((error) => {
      this.#defined = undefined;
      throw error;
    });
    return this.#defined;
  }

  /**
   * Writes the queues and begins to run jobs, and goes on trying while the database is away. Without jobs it does nothing. A
   * process that only enqueues begins as well: as many first transactions as there are connections would else wait for one more.
   *
   * @param always This process does nothing else.
   * @param begun Called when jobs run here.
   */
  begin(always = false, begun = () => {}): void {
    if (this.definitions.size === 0 || this.#begun || this.#stopBy !== undefined) return;
    this.#begun = true;
    const { clock, log, config } = this.platform;
    this.ready().then(
      () => {
        if (this.#stopBy !== undefined || !(always || config.jobs.worker)) return;
        this.#startWorker(always);
        begun();
      },
      (err) => {
        if (!findUnavailable(err)) log.error({ err }, 'jobs cannot begin; they try again');
        this.#begun = false;
        clock.at('jobs', Date.now() + BEGIN_AGAIN_MS, () => this.begin(always, begun));
      },
    );
  }

  /** @param deadline When the process will be ended, in milliseconds since 1970. The first counts. */
  async stop(deadline: number): Promise<void> {
    this.#stopBy ??= deadline;
    await this.#worker?.stop(this.#stopBy);
  }

  #definition(name: string): DefinedJob {
    const definition = this.definitions.get(name);
    if (definition === undefined) throw new Error(`There is no job '${name}'.`);
    return definition;
  }

  async #writeDefinitions(): Promise<void> {
    await this.queue.define([...this.definitions.values()]);
    for (const { name, schedule } of this.definitions.values()) {
      const wrong = schedule && (await this.check(name, schedule.input));
      // Found when it is due, it would keep the worker from all other jobs.
      if (wrong) throw new Error(`The input in the schedule of job '${name}' is not valid: ${wrong}`);
    }
    await this.#schedules.define();
    await this.queue.boss();
  }

  #startWorker(always: boolean): void {
    if (this.#worker) return;
    const { platform, queue, definitions } = this;
    this.#worker = new Worker({
      ...platform,
      concurrency: platform.config.jobs.concurrency,
      queue,
      definitions,
      check: (name, input) => this.check(name, input),
      schedule: () => this.#schedules.run(),
      changed: () => this.notice.changed(),
      ended: (run, outcome) => this.#ended(run, outcome),
      always,
    });
    this.#worker.start();
  }

  #ended(run: Run, outcome: Outcome): void {
    const { name, pullsFrom } = run.definition;
    this.figures.count(name, run, outcome);
    if (pullsFrom === undefined || outcome.kind === 'interrupted') return;
    const now = new Date();
    const change =
      outcome.kind === 'success'
        ? { lastSuccessAt: now, failures: 0, lastError: null }
        : {
            lastFailureAt: now,
            failures: sql`${jobDefinitions.failures} + 1`,
            lastError: outcome.error.message,
          };
    this.platform.db
      .update(jobDefinitions)
      .set(change)
      .where(eq(jobDefinitions.name, name))
      .catch((err) => this.platform.log.warn({ err }, `jobs: how ${name} ended could not be noted`));
  }
}

/** On whose behalf a request asks; an actor is one already. */
function actorOf(from: Actor | FastifyRequest | undefined): Actor {
  if (from === undefined) return {};
  if (!('headers' in from)) return from;
  const { traceparent } = from.headers;
  const scope = from.scope as { userId: string; organisationId?: string } | undefined;
  return {
    requestId: from.id,
    userId: scope?.userId,
    organisationId: scope?.organisationId,
    traceparent: typeof traceparent === 'string' ? traceparent : undefined,
  };
}

/** @returns What PostgreSQL would refuse of a value; undefined where it takes it. */
function whatIsUnstorable(value: object): string | undefined {
  if (isDeeper(value, MAX_DEPTH)) return `it is more than ${MAX_DEPTH} levels deep`;
  return isStorable(JSON.stringify(value)) ? undefined : 'it has a NUL or half of a surrogate pair';
}

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels < 0 || Object.values(value).some((item) => isDeeper(item, levels - 1)));

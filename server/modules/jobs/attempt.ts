import { eq } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { PermanentJobError } from '../../platform/jobs.ts';
import type { Logger } from '../../platform/logging/logger.ts';
import { redacted } from '../../platform/logging/redaction.ts';
import type { Actor } from '../../platform/parts.ts';
import type { Claim, DefinedJob } from './queue.ts';
import { jobSteps } from './table.ts';

/** A job that is interrupted gets this long to end by itself, in milliseconds; after that it is no longer waited for. */
const GRACE_MS = 5_000;

/** The most of a message that is kept, in characters. */
const MAX_TEXT = 10_000;

/** Text as PostgreSQL keeps it in JSON: without NUL and halves of characters; and no more than people read. */
function storable(value: unknown): string {
  let text: string;
  try {
    text = String(value);
  } catch {
    text = 'What was thrown cannot be written as text';
  }
  return text.slice(0, MAX_TEXT).toWellFormed().replaceAll('\0', '\ufffd');
}

/** Why an attempt ends before its work is done. */
export type Reason = 'cancelled' | 'timeout' | 'lost' | 'draining';

/** What the signal of a job is aborted with. */
class Interruption extends Error {
  override readonly name = 'Interruption';
  readonly why: Reason;

  constructor(why: Reason, message: string) {
    super(message);
    this.why = why;
  }
}

export type Outcome =
  | { readonly kind: 'success' }
  | { readonly kind: 'failure'; readonly permanent: boolean; readonly error: { message: string; at: string } }
  | { readonly kind: 'interrupted'; readonly why: Exclude<Reason, 'timeout'> };

/** What stands in the row of a job. */
export interface Envelope {
  readonly input: unknown;
  readonly actor: Actor;
}

export interface RunParts {
  readonly db: NodePgDatabase;
  readonly log: Logger;
  /** @returns What is wrong with an input; undefined where it is valid. */
  check(name: string, input: unknown): Promise<string | undefined>;
}

/** One attempt of a job. */
export class Run {
  readonly claim: Claim;
  readonly definition: DefinedJob;
  readonly began = Date.now();
  readonly outcome: Promise<Outcome>;
  ended = false;
  /** How far it is, as the job says. */
  report: { done: number; total?: number; note?: string } | undefined;
  readonly #abort = new AbortController();
  readonly #parts: RunParts;
  readonly #log: Logger;
  #steps: Promise<Map<string, unknown>> | undefined;

  constructor(claim: Claim, definition: DefinedJob, parts: RunParts) {
    this.claim = claim;
    this.definition = definition;
    this.#parts = parts;
    const { actor } = this.#envelope;
    this.#log = parts.log.child({
      job: claim.name,
      jobId: claim.id,
      ...(actor.requestId && { requestId: actor.requestId }),
    });
    this.outcome = this.#attempt().finally(() => {
      this.ended = true;
    });
  }

  get interruption(): Reason | undefined {
    const { reason } = this.#abort.signal;
    return reason instanceof Interruption ? reason.why : undefined;
  }

  abort(why: Reason): void {
    if (this.ended || this.#abort.signal.aborted) return;
    const messages: Record<Reason, string> = {
      cancelled: 'The job was cancelled',
      timeout: `The job took longer than ${this.definition.timeoutMs} ms`,
      lost: 'The job runs elsewhere',
      draining: 'The process ends',
    };
    this.#abort.abort(new Interruption(why, messages[why]));
  }

  get #envelope(): Envelope {
    const { input = null, actor = {} } = (this.claim.data ?? {}) as Partial<Envelope>;
    return { input, actor };
  }

  async #attempt(): Promise<Outcome> {
    const { signal } = this.#abort;
    const timer = setTimeout(() => this.abort('timeout'), this.definition.timeoutMs);
    let grace: NodeJS.Timeout | undefined;
    const interrupted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => {
        const give = () => reject(signal.reason);
        // The process has no time left for one that does not listen.
        if (this.interruption === 'draining') setImmediate(give);
        else grace = setTimeout(give, GRACE_MS);
      });
    });
    try {
      await Promise.race([this.#work(), interrupted]);
      // What it has done is done, and its row says otherwise.
      const why = this.interruption;
      return why === 'lost' || why === 'cancelled' ? { kind: 'interrupted', why } : { kind: 'success' };
    } catch (error) {
      return this.#failed(error);
    } finally {
      clearTimeout(timer);
      clearTimeout(grace);
    }
  }

  async #work(): Promise<void> {
    const { claim } = this;
    const { input, actor } = this.#envelope;
    const wrong = await this.#parts.check(claim.name, input);
    if (wrong !== undefined) throw new PermanentJobError(`The input is not valid: ${wrong}`);
    await this.definition.run({
      id: claim.id,
      input: input as never,
      attempt: claim.retryCount + 1,
      idempotencyKey: claim.id,
      actor,
      log: this.#log,
      signal: this.#abort.signal,
      progress: (done, total, note) => {
        // One that cannot be written would end the leases of all jobs that run here.
        this.report = {
          done: Number(done),
          ...(total !== undefined && { total: Number(total) }),
          ...(note !== undefined && { note: storable(note) }),
        };
      },
      step: (name, fn) => this.#step(name, fn),
    });
  }

  #failed(error: unknown): Outcome {
    const { interruption } = this;
    const message = storable(error instanceof Error ? error.message : error);
    if (interruption !== undefined && interruption !== 'timeout') {
      this.#log.info({ why: interruption }, `a job was interrupted: ${this.#abort.signal.reason.message}`);
      return { kind: 'interrupted', why: interruption };
    }
    const said = interruption === 'timeout' ? this.#abort.signal.reason.message : message;
    this.#log.warn({ err: error, attempt: this.claim.retryCount + 1 }, `a job failed: ${said}`);
    return {
      kind: 'failure',
      permanent: error instanceof PermanentJobError,
      error: { message: redacted(said), at: new Date().toISOString() },
    };
  }

  async #step<T>(name: string, fn: () => Promise<T>): Promise<T> {
    const { db } = this.#parts;
    const jobId = this.claim.id;
    this.#steps ??= db
      .select()
      .from(jobSteps)
      .where(eq(jobSteps.jobId, jobId))
      .then((rows) => new Map(rows.map((row) => [row.name, row.result])));
    const steps = await this.#steps;
    if (steps.has(name)) return steps.get(name) as T;
    this.#abort.signal.throwIfAborted();
    const result = (await fn()) ?? null;
    await db.insert(jobSteps).values({ jobId, name, result }).onConflictDoNothing();
    steps.set(name, result);
    return JSON.parse(JSON.stringify(result));
  }
}

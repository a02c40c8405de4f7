import type { Clock } from '../../platform/database/clock.ts';
import type { Listener } from '../../platform/database/listener.ts';
import { findUnavailable } from '../../platform/database/pool/unavailable.ts';
import { apartFromRequests } from '../../platform/lib/request-work.ts';
import { within } from '../../platform/lib/within.ts';
import { type Outcome, type Reason, Run, type RunParts } from './attempt.ts';
import { Outcomes } from './outcomes.ts';
import { CHANNEL, type DefinedJob, LEASE_MS, type Queue } from './queue.ts';

/** How often a worker renews the leases of its jobs. All times in milliseconds. */
const RENEW_MS = LEASE_MS / 3;
/** The pause after a failure of the database, from the first to the last. */
const MIN_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;
/** The end of the shutdown time is kept for handing jobs back, and for what ends after the jobs. */
const HAND_BACK_MS = 1_000;
/** A worker that keeps taking jobs of the same names still looks for all others this often. */
const MAX_BLIND_MS = 500;

export interface WorkerParts extends RunParts {
  readonly queue: Queue;
  readonly listener: Listener;
  readonly clock: Clock;
  readonly concurrency: number;
  readonly definitions: ReadonlyMap<string, DefinedJob>;
  /** Enqueues what schedules have due. */
  schedule(): Promise<void>;
  /** Called when a job begins or ends, and when leases are renewed, which writes the progress of jobs. */
  changed(): void;
  /** Called with the outcome of each attempt. */
  ended(run: Run, outcome: Outcome): void;
  /** A process that does nothing else needs notifications at all times. */
  readonly always: boolean;
}

/**
 * Runs jobs in this process. It looks into the table when it is notified, when something is due and when a job has ended,
 * and never otherwise: without jobs there is no statement and no timer.
 */
export class Worker {
  readonly #parts: WorkerParts;
  readonly #names: readonly string[];
  /** Those that run here, and those that have ended and are not written yet. */
  readonly #runs = new Set<Run>();
  readonly #outcomes: Outcomes;
  /** Names of which as many were taken as could be run, so that there may be more. */
  readonly #more = new Set<string>();
  /** When each name was last taken, so that those that have waited longest come first. */
  readonly #takenAt = new Map<string, number>();
  readonly #idle: (() => void)[] = [];
  #looking: Promise<void> | undefined;
  #again = false;
  #renewal: NodeJS.Timeout | undefined;
  #release: (() => void) | undefined;
  #unsubscribe: (() => void) | undefined;
  /** By `performance.now()`: the wall clock may be set back. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  #stopping = false;
  /** When it looks by itself, in milliseconds since 1970. */
  #next = Number.POSITIVE_INFINITY;
  #pauseMs = MIN_PAUSE_MS;
  #handedBack: Promise<void> | undefined;
  #failure: unknown;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#names = [...parts.definitions.keys()];
    this.#outcomes = new Outcomes(parts.queue, parts.log, (runs) => this.#forget(runs));
  }

  get running(): readonly Run[] {
    return [...this.#runs];
  }

  /** What the last look failed with; undefined where it did not. */
  get failure(): unknown {
    return this.#failure;
  }

  runningOf(name: string): number {
    return this.#unfinished().filter(({ claim }) => claim.name === name).length;
  }

  start(): void {
    const { listener, always } = this.#parts;
    if (always) this.#release = listener.hold();
    this.#unsubscribe = listener.on(CHANNEL, (payload) => this.#notified(payload), {
      onReconnect: () => this.look(),
    });
  }

  /** Looks whether there is something to do, now or after the look that is under way. */
  look(): void {
    if (this.#stopping) return;
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = apartFromRequests(() => this.#lookAround()).finally(() => {
      this.#looking = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.look();
    });
  }

  /** Resolves when nothing is due and nothing runs here any more. */
  async idle(): Promise<void> {
    while (this.#looking || this.#again || this.#runs.size > 0) {
      await (this.#looking ?? new Promise<void>((resolve) => this.#idle.push(resolve)));
    }
  }

  /**
   * Takes no more jobs. Those that run get until `deadline`, then they are aborted, and handed back to run elsewhere at once.
   *
   * @param deadline When the process will be ended, in milliseconds since 1970.
   * @returns Resolves when none runs here.
   */
  async stop(deadline: number): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true;
      this.#unsubscribe?.();
      this.#parts.clock.at('jobs', undefined, () => {});
      this.#handedBack = this.#handBackAt(deadline - HAND_BACK_MS);
    }
    await this.#handedBack;
  }

  async #handBackAt(at: number): Promise<void> {
    // A look is waited for no longer either: the database may not answer.
    await within(this.idle(), Math.max(at - Date.now(), 0), () => new Error('late')).catch(() => {});
    const unfinished = this.#unfinished();
    if (unfinished.length > 0) {
      for (const run of unfinished) run.abort('draining');
      this.#parts.log.info({ jobs: unfinished.length }, 'jobs are handed back: the process ends before them');
      const handedBack = this.#parts.queue.handBack(unfinished.map(({ claim }) => claim));
      await within(handedBack, HAND_BACK_MS / 2, () => new Error('the database does not answer')).catch(
        (err) => this.#parts.log.warn({ err }, 'jobs could not be handed back; their lease will end'),
      );
    }
    this.#outcomes.end();
    clearInterval(this.#renewal);
    this.#release?.();
  }

  #notified(payload: string): void {
    const [what, value = ''] = payload.split(' ');
    if (what === 'cancel') this.#abort(value, 'cancelled');
    // When what is due later is known by the database's clock alone.
    else this.look();
  }

  /** @param at Milliseconds since 1970; infinite: nothing is due. */
  #lookAt(at: number): void {
    if (this.#stopping) return;
    this.#next = at;
    this.#parts.clock.at('jobs', at === Number.POSITIVE_INFINITY ? undefined : at, () => this.look());
  }

  async #lookAround(): Promise<void> {
    const { queue, log } = this.#parts;
    try {
      const blindMs = performance.now() - this.#lookedAt;
      if (blindMs < MAX_BLIND_MS && Date.now() < this.#next) {
        for (const name of this.#inTurn(this.#more)) await this.#take(name);
        if (this.#more.size > 0) {
          // A notification of something else may have brought this look.
          this.#lookAt(Math.min(this.#next, Date.now() + MAX_BLIND_MS - blindMs));
          this.#failure = undefined;
          return;
        }
      }
      this.#lookedAt = performance.now();
      this.#more.clear();
      const { due, nextMs, leaseMs, scheduleMs } = await queue.look(
        this.#names,
        this.running.map(({ claim }) => claim.id),
      );
      if (leaseMs <= 0) await this.#rescue();
      if (scheduleMs <= 0) await this.#parts.schedule();
      // What these two have made due is told by a notification; without one, the next look finds it.
      if (leaseMs <= 0 || scheduleMs <= 0) this.#again = true;
      for (const name of this.#inTurn(due)) await this.#take(name);
      // A little later than exactly then, so that the database's clock has got there as well.
      this.#lookAt(Date.now() + Math.max(Math.min(nextMs, leaseMs, scheduleMs), 0) + 5);
      this.#pauseMs = MIN_PAUSE_MS;
      this.#failure = undefined;
      this.#hold();
    } catch (err) {
      this.#failure = err;
      const away = findUnavailable(err);
      if (away) log.debug({ reason: away.reason }, 'jobs: the database is away');
      else log.error({ err }, 'jobs: looking for work failed');
      this.#lookAt(Date.now() + this.#pauseMs);
      this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_PAUSE_MS);
    }
  }

  async #take(name: string): Promise<void> {
    const { queue, definitions, concurrency } = this.#parts;
    const definition = definitions.get(name);
    if (!definition || this.#stopping) return;
    const free = Math.min(
      concurrency - this.#unfinished().length,
      definition.concurrency - this.runningOf(name),
    );
    if (free <= 0) {
      this.#more.add(name);
      return;
    }
    const claims = await queue.take(name, free);
    this.#takenAt.set(name, performance.now());
    if (claims.length === free) this.#more.add(name);
    else this.#more.delete(name);
    if (this.#stopping) await queue.handBack(claims);
    else for (const claim of claims) this.#run(new Run(claim, definition, this.#parts));
  }

  #inTurn(names: Iterable<string>): string[] {
    const takenAt = (name: string) => this.#takenAt.get(name) ?? 0;
    return [...names].sort((a, b) => takenAt(a) - takenAt(b));
  }

  #unfinished(): Run[] {
    return this.running.filter(({ ended }) => !ended);
  }

  #run(run: Run): void {
    const { changed, ended } = this.#parts;
    // This process has rescued it from itself: the lease had ended.
    this.#abort(run.claim.id, 'lost');
    this.#runs.add(run);
    changed();
    this.#renewal ??= setInterval(() => this.#renew(), RENEW_MS).unref();
    void run.outcome.then(async (outcome) => {
      ended(run, outcome);
      changed();
      const written = this.#outcomes.write(run, outcome);
      this.look();
      await written;
      // Only now its next attempt is due.
      if (outcome.kind === 'failure') this.look();
    });
  }

  #abort(id: string, why: Reason): void {
    for (const run of this.#runs) if (run.claim.id === id) run.abort(why);
  }

  #forget(runs: readonly Run[]): void {
    for (const run of runs) this.#runs.delete(run);
    if (this.#runs.size > 0) return;
    clearInterval(this.#renewal);
    this.#renewal = undefined;
    this.#hold();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** While jobs run, a cancellation must arrive. */
  #hold(): void {
    if (this.#parts.always) return;
    if (this.#runs.size > 0) this.#release ??= this.#parts.listener.hold();
    else {
      this.#release?.();
      this.#release = undefined;
    }
  }

  async #renew(): Promise<void> {
    const runs = this.running;
    try {
      const ours = await this.#parts.queue.renew(
        runs.map(({ claim, report }) => ({ ...claim, progress: report })),
      );
      this.#parts.changed();
      // One that was cancelled looks the same; its signal has come already, or comes now.
      for (const run of runs) if (!ours.has(run.claim.id) && !run.ended) run.abort('lost');
    } catch (err) {
      if (!findUnavailable(err)) this.#parts.log.error({ err }, 'jobs: leases could not be renewed');
    }
  }

  async #rescue(): Promise<void> {
    // After a pause of the database our own are overdue as well.
    if (this.#runs.size > 0) await this.#renew();
    for (const { name, id, state } of await this.#parts.queue.rescue(this.#names)) {
      const then = state === 'failed' ? 'it is not run again' : 'it runs again';
      this.#parts.log.warn({ job: name, jobId: id }, `the worker of a job is gone; ${then}`);
    }
  }
}

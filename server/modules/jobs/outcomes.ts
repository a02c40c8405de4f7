import { setTimeout as sleep } from 'node:timers/promises';
import { findUnavailable } from '../../platform/database/pool/unavailable.ts';
import { atMostEvery } from '../../platform/lib/at-most-every.ts';
import type { Logger } from '../../platform/logging/logger.ts';
import type { Outcome, Run } from './attempt.ts';
import type { Queue } from './queue.ts';

/** The pause after a write that failed, in milliseconds. */
const PAUSE_MS = 500;
/** A worker that has run something deletes old rows, this often at most. In milliseconds. */
const PURGE_EVERY_MS = 60_000;

/** Writes how attempts ended, those that ended at about the same time together. */
export class Outcomes {
  readonly #queue: Queue;
  readonly #log: Logger;
  readonly #written: (runs: readonly Run[]) => void;
  /** Successes that are not written yet. */
  #done: Run[] = [];
  #flushing = false;
  readonly #purge = atMostEvery(
    PURGE_EVERY_MS,
    async () => {
      while (await this.#queue.purge());
    },
    (err) => {
      if (!findUnavailable(err))
        this.#log.warn({ err }, 'jobs: old rows could not be deleted; a later run tries again');
    },
  );
  #ended = false;

  /** @param written Called with attempts of which nothing is left to write. */
  constructor(queue: Queue, log: Logger, written: (runs: readonly Run[]) => void) {
    this.#queue = queue;
    this.#log = log;
    this.#written = written;
  }

  /** @returns Resolves once a failure is written; a success is written with others. */
  async write(run: Run, outcome: Outcome): Promise<void> {
    const { claim } = run;
    if (outcome.kind === 'success') {
      this.#done.push(run);
      if (!this.#flushing) setImmediate(() => this.#flush());
      this.#flushing = true;
      return;
    }
    if (outcome.kind === 'failure') {
      const { permanent, error } = outcome;
      await this.#persist([run], () =>
        permanent ? this.#queue.bury(claim, error) : this.#queue.fail(claim, error),
      );
      this.#purge();
      return;
    }
    // Cancelled, handed back, or another worker's: the row says so already.
    this.#written([run]);
    if (outcome.why === 'lost')
      this.#log.warn({ job: claim.name, jobId: claim.id }, 'a job ran elsewhere before it had ended here');
  }

  /** Stops retrying writes that fail. */
  end(): void {
    this.#ended = true;
  }

  async #flush(): Promise<void> {
    while (this.#done.length > 0) {
      const byName = Map.groupBy(this.#done.splice(0), ({ claim }) => claim.name);
      await Promise.all(
        [...byName].map(([name, runs]) =>
          this.#persist(runs, () =>
            this.#queue.complete(
              name,
              runs.map(({ claim }) => claim),
            ),
          ),
        ),
      );
    }
    this.#flushing = false;
    this.#purge();
  }

  /** Retries until the write succeeds, or other workers have taken the jobs. */
  async #persist(runs: readonly Run[], write: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await write();
        break;
      } catch (err) {
        if (!findUnavailable(err)) this.#log.error({ err }, 'jobs: how a job ended could not be written');
        if (this.#ended || runs.every(({ interruption }) => interruption === 'lost')) break;
        await sleep(PAUSE_MS);
      }
    }
    this.#written(runs);
  }
}

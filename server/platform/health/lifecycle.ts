import { setTimeout as sleep } from 'node:timers/promises';
import { type LifecycleState, STATES, type StartupStep } from '#contracts/status.ts';
import { untilAborted } from '../lib/until-aborted.ts';

export type { LifecycleState, StartupStep };

export interface Transition {
  from: LifecycleState;
  to: LifecycleState;
  /** How long the state that ended had lasted, in milliseconds. */
  lastedMs: number;
}

/**
 * The life of the process: `starting → migrating → ready → draining → stopped`, and the start-up steps on the way.
 *
 * It holds facts and notifies listeners; it starts no timer and awaits nothing. Times are milliseconds
 * since the process was created (`performance.now()`), because that is what a cold start feels like to a visitor.
 */
export class Lifecycle {
  #state: LifecycleState = 'starting';
  #since = 0;
  #reachedReady = false;
  readonly #listeners: ((transition: Transition) => void)[] = [];
  readonly #steps: StartupStep[];
  #asked = Promise.withResolvers<void>();
  readonly #settled = Promise.withResolvers<void>();

  /** Why the process is not ready. It is public: without hosts and credentials. */
  problem: string | undefined;
  /** Migrations by state; undefined before they were read. */
  migrations: { applied: number; pending: number } | undefined;

  /** @param steps Names of the start-up work, in the order it is shown. */
  constructor(steps: readonly string[]) {
    this.#steps = steps.map((step) => ({ step, status: 'pending', startedAtMs: null }));
  }

  get state(): LifecycleState {
    return this.#state;
  }

  /** True once start-up has finished, and ever after. */
  get started(): boolean {
    return this.#reachedReady;
  }

  /** While true, a request that needs the whole application is held. */
  get startingUp(): boolean {
    return this.#state === 'starting' || this.#state === 'migrating';
  }

  get startup(): readonly StartupStep[] {
    return this.#steps;
  }

  /** Resolves when start-up has ended: with `ready`, `draining` or `stopped`. */
  get startupOver(): Promise<void> {
    return this.#settled.promise;
  }

  /** Reports that a client waits for readiness: work that awaits `nextQuestion` may try again. */
  ask(): void {
    this.#asked.resolve();
    this.#asked = Promise.withResolvers();
  }

  /** Resolves with the next `ask()`, one second from now at the earliest. @throws the reason of `signal`. */
  async nextQuestion(signal: AbortSignal): Promise<void> {
    await sleep(1_000, undefined, { signal });
    await untilAborted(this.#asked.promise, signal);
  }

  onTransition(listener: (transition: Transition) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Enters a later state; the states between may be left out. To enter the current one does nothing.
   *
   * @throws Error for a state that is over: a programming error.
   */
  to(next: LifecycleState): void {
    if (next === this.#state) return;
    if (STATES.indexOf(next) < STATES.indexOf(this.#state))
      throw new Error(`lifecycle: no way from ${this.#state} to ${next}`);
    const now = performance.now();
    const transition = { from: this.#state, to: next, lastedMs: now - this.#since };
    this.#state = next;
    this.#since = now;
    if (next === 'ready') {
      this.#reachedReady = true;
      this.problem = undefined;
    }
    if (!this.startingUp) this.#settled.resolve();
    for (const listener of this.#listeners) listener(transition);
  }

  /**
   * Does one piece of start-up work and keeps its times.
   *
   * @param name One of the names given to the constructor.
   * @param note Turns what the work returned into a few words for `/api/status` ("2 applied").
   */
  async step<Result>(
    name: string,
    work: () => Promise<Result> | Result,
    note?: (result: Result) => string,
  ): Promise<Result> {
    const step = this.#step(name);
    step.status = 'running';
    step.startedAtMs = performance.now();
    try {
      const result = await work();
      if (note) step.note = note(result);
      step.status = 'done';
      return result;
    } catch (error) {
      step.status = 'failed';
      throw error;
    } finally {
      step.durationMs = performance.now() - step.startedAtMs;
    }
  }

  #step(name: string): StartupStep {
    const step = this.#steps.find((candidate) => candidate.step === name);
    if (!step) throw new Error(`lifecycle: '${name}' is not a declared start-up step`);
    return step;
  }
}

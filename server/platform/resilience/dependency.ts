/**
 * A call to another service, protected: a bulkhead, retries within a budget, a circuit breaker and a time-out around it.
 * Nothing runs between calls.
 */
import type { BaseLogger } from 'pino';
import { untilAborted } from '../lib/until-aborted.ts';
import { DependencyRefusedError, DependencyTimeoutError, DependencyUnavailableError } from './errors.ts';

export interface DependencyLimits {
  /** Calls under way at once. */
  concurrency: number;
  /** Calls that may wait for one of those to end; a further call is refused. */
  queue: number;
  /** Attempts after the first, within the budget of retries. */
  retries: number;
  /** Of one attempt. */
  timeoutMs: number;
}

/** In the order of cockatiel's `CircuitState`. */
export const BREAKER_STATES = ['closed', 'open', 'half-open', 'isolated'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];
export type CallOutcome = 'success' | 'failure' | 'timeout' | 'refused' | 'rejected' | 'cancelled';

export interface CallOptions {
  /** How long one attempt may take, in milliseconds. Default: `DEPENDENCY_TIMEOUT_MS`. */
  timeout?: number;
  /** Ends the call when it is aborted: that of a request or of a job. */
  signal?: AbortSignal;
  /** False for a call that must not be made twice. */
  retry?: boolean;
}

/** The breaker opens when more than half of the last 20 attempts failed, and not before 10. */
const BREAKER = { threshold: 0.5, size: 20, minimumNumberOfCalls: 10 };
/** An open breaker lets one call through after this time; each that fails makes the pause longer. In milliseconds. */
export const BREAKER_PAUSE = { initialDelay: 5_000, maxDelay: 60_000 };
const RETRY_PAUSE = { initialDelay: 100, maxDelay: 2_000 };
/**
 * Each call earns a tenth of a retry, so that retries add 10 % of load at most to a dependency that fails
 * (https://sre.google/sre-book/handling-overload/); what may be saved up is what a quiet dependency begins with.
 */
const RETRIES_A_CALL = 0.1;
const MAX_SAVED_RETRIES = 10;

type Cockatiel = typeof import('cockatiel');

/** One service that is called, with what is known of it. */
export class Dependency {
  readonly name: string;
  readonly limits: DependencyLimits;
  readonly outcomes: Record<CallOutcome, number> = {
    success: 0,
    failure: 0,
    timeout: 0,
    refused: 0,
    rejected: 0,
    cancelled: 0,
  };
  retries = 0;
  lastError: { message: string; at: Date } | undefined;
  #saved = MAX_SAVED_RETRIES;
  #isolated: { dispose(): void } | undefined;
  readonly #lib: Cockatiel;
  readonly #onEnd: (ms: number) => void;
  readonly #bulkhead;
  readonly #counts;
  readonly #breaker;
  readonly #retry;

  constructor(
    lib: Cockatiel,
    name: string,
    limits: DependencyLimits,
    pause: typeof BREAKER_PAUSE,
    log: Pick<BaseLogger, 'warn' | 'info'>,
    onEnd: (ms: number) => void,
  ) {
    this.#lib = lib;
    this.#onEnd = onEnd;
    this.name = name;
    this.limits = limits;
    this.#bulkhead = lib.bulkhead(limits.concurrency, limits.queue);
    this.#counts = new lib.CountBreaker(BREAKER);
    const failed = lib.handleWhen(
      (error) =>
        !(error instanceof DependencyRefusedError) &&
        // A call whose caller has left tells nothing of the dependency, and closes no open breaker either.
        (!(error instanceof lib.TaskCancelledError) || this.state === 'half-open'),
    );
    this.#breaker = lib.circuitBreaker(failed, {
      breaker: this.#counts,
      halfOpenAfter: new lib.ExponentialBackoff(pause),
    });
    this.#breaker.onBreak(() => log.warn({ dependency: name }, `the circuit breaker of ${name} is open`));
    this.#breaker.onReset(() => log.info({ dependency: name }, `the circuit breaker of ${name} is closed`));
    const mayRetry = (error: unknown) =>
      this.#saved >= 1 &&
      !(error instanceof DependencyRefusedError) &&
      !(error instanceof lib.BrokenCircuitError);
    this.#retry = lib.retry(lib.handleWhen(mayRetry), {
      maxAttempts: limits.retries,
      backoff: new lib.ExponentialBackoff(RETRY_PAUSE),
    });
    this.#retry.onRetry(() => {
      this.#saved--;
      this.retries++;
    });
  }

  get state(): BreakerState {
    return BREAKER_STATES[this.#breaker.state];
  }

  get running(): number {
    return this.limits.concurrency - this.#bulkhead.executionSlots;
  }

  get waiting(): number {
    return this.limits.queue - this.#bulkhead.queueSlots;
  }

  /** Refuses every call from now on, until it is reset. */
  isolate(): void {
    this.#isolated ??= this.#breaker.isolate();
  }

  /** Closes the breaker, whatever it is, and forgets the calls that it judged by. */
  reset(): void {
    this.#counts.state = new this.#lib.CountBreaker(BREAKER).state;
    // An open one is closed by way of an isolation: cockatiel has no other.
    (this.#isolated ?? this.#breaker.isolate()).dispose();
    this.#isolated = undefined;
  }

  async execute<T>(fn: (signal: AbortSignal) => PromiseLike<T> | T, options: CallOptions): Promise<T> {
    const { timeout = this.limits.timeoutMs, signal, retry = true } = options;
    const { TaskCancelledError, TimeoutStrategy } = this.#lib;
    const timed = this.#lib.timeout(timeout, TimeoutStrategy.Aggressive);
    const attempt = (outer: AbortSignal) =>
      this.#breaker.execute(async () => {
        if (outer.aborted) throw new TaskCancelledError();
        let late = false;
        const listener = timed.onTimeout(() => {
          late = !outer.aborted;
        });
        try {
          return await timed.execute((context) => fn(context.signal), outer);
        } catch (error) {
          if (late) throw new DependencyTimeoutError(`${this.name} did not answer within ${timeout} ms`);
          if (outer.aborted) throw new TaskCancelledError();
          throw error;
        } finally {
          listener.dispose();
        }
      }, outer);
    this.#saved = Math.min(this.#saved + RETRIES_A_CALL, MAX_SAVED_RETRIES);
    const began = performance.now();
    try {
      const called = this.#bulkhead.execute(
        ({ signal: outer }) => (retry ? this.#retry.execute(() => attempt(outer), outer) : attempt(outer)),
        signal,
      );
      // cockatiel looks at the signal only when a slot is free, and when the pause before a retry is over.
      const result = await (signal ? untilAborted(called, signal) : called);
      this.outcomes.success++;
      return result;
    } catch (error) {
      throw this.#counted(error, signal);
    } finally {
      this.#onEnd(performance.now() - began);
    }
  }

  /** @returns What the caller is told. */
  #counted(error: unknown, signal: AbortSignal | undefined): unknown {
    const { BrokenCircuitError, BulkheadRejectedError } = this.#lib;
    if (signal?.aborted) {
      this.outcomes.cancelled++;
      return signal.reason;
    }
    if (error instanceof BrokenCircuitError || error instanceof BulkheadRejectedError) {
      this.outcomes.rejected++;
      const why = error instanceof BrokenCircuitError ? 'is not called for now' : 'is busy';
      return new DependencyUnavailableError(`${this.name} ${why}`, { cause: error });
    }
    if (error instanceof DependencyRefusedError) {
      this.outcomes.refused++;
      return error;
    }
    this.outcomes[error instanceof DependencyTimeoutError ? 'timeout' : 'failure']++;
    this.lastError = { message: error instanceof Error ? error.message : String(error), at: new Date() };
    return error;
  }
}

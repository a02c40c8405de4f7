/**
 * Calls to other services, protected: a bulkhead, retries within a budget, a circuit breaker and a time-out around each.
 * One instance a dependency holds them all, so that every caller learns of a dependency that fails. Nothing runs between calls.
 */
import type { BaseLogger } from 'pino';
import { Durations } from '../metrics/metrics.ts';

export interface DependencyLimits {
  /** Calls under way at once, and calls that may wait for one of them to end; the next is refused. */
  concurrency: number;
  queue: number;
  /** Attempts after the first, as far as the budget goes. */
  retries: number;
  /** How long one attempt may take. */
  timeoutMs: number;
}

export type BreakerState = 'closed' | 'open' | 'half-open' | 'isolated';
export type CallOutcome = 'success' | 'failure' | 'timeout' | 'refused' | 'rejected' | 'cancelled';

export interface CallOptions {
  /** How long one attempt may take, in milliseconds; `DEPENDENCY_TIMEOUT_MS` where nothing is said. */
  timeout?: number;
  /** Ends the call when it is aborted: that of a request or of a job. */
  signal?: AbortSignal;
  /** False for a call that must not be made twice. */
  retry?: boolean;
}

/** The dependency answered that the request is wrong: it works, so this is neither retried nor a failure of the dependency. */
export class DependencyRefusedError extends Error {
  override readonly name = 'DependencyRefusedError';
}

/** The call was not made: too many are under way, or the circuit breaker is open. */
export class DependencyUnavailableError extends Error {
  override readonly name = 'DependencyUnavailableError';
}

/** An attempt took longer than it may. */
export class DependencyTimeoutError extends Error {
  override readonly name = 'DependencyTimeoutError';
}

/**
 * Makes an error of an HTTP response that is none: 4xx is a refusal, but for 408 and 429, which a later attempt may turn.
 *
 * @returns The response, where its status is below 400.
 * @throws DependencyRefusedError or Error, without the body, which may hold anything.
 */
export function assertAnswered<R extends { status: number }>(response: R): R {
  const { status } = response;
  if (status < 400) return response;
  if (status < 500 && status !== 408 && status !== 429)
    throw new DependencyRefusedError(`answered ${status}`);
  throw new Error(`answered ${status}`);
}

/** The breaker opens when more than half of the last 20 attempts failed, and not before 10. */
const BREAKER = { threshold: 0.5, size: 20, minimumNumberOfCalls: 10 };
/** An open breaker lets one call through after this time; each that fails makes the pause longer. In milliseconds. */
const BREAKER_PAUSE = { initialDelay: 5_000, maxDelay: 60_000 };
const RETRY_PAUSE = { initialDelay: 100, maxDelay: 2_000 };
/**
 * Each call earns a tenth of a retry, so that retries add 10 % of load at most to a dependency that fails
 * (https://sre.google/sre-book/handling-overload/); what may be saved up is what a quiet dependency begins with.
 */
const RETRIES_A_CALL = 0.1;
const MAX_SAVED_RETRIES = 10;
const BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

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
    pause: { initialDelay: number; maxDelay: number },
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
    const { Closed, Open, HalfOpen } = this.#lib.CircuitState;
    const { state } = this.#breaker;
    return state === Closed
      ? 'closed'
      : state === Open
        ? 'open'
        : state === HalfOpen
          ? 'half-open'
          : 'isolated';
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

  #counted(error: unknown, signal: AbortSignal | undefined): unknown {
    const { BrokenCircuitError, BulkheadRejectedError } = this.#lib;
    const count = (outcome: CallOutcome) => {
      this.outcomes[outcome]++;
    };
    if (signal?.aborted) {
      count('cancelled');
      return signal.reason;
    }
    if (error instanceof BrokenCircuitError || error instanceof BulkheadRejectedError) {
      count('rejected');
      const why = error instanceof BrokenCircuitError ? 'is not called for now' : 'is busy';
      return new DependencyUnavailableError(`${this.name} ${why}`, { cause: error });
    }
    if (error instanceof DependencyRefusedError) count('refused');
    else {
      count(error instanceof DependencyTimeoutError ? 'timeout' : 'failure');
      this.lastError = { message: error instanceof Error ? error.message : String(error), at: new Date() };
    }
    return error;
  }
}

/** @throws What the promise says, or the reason of the signal as soon as it is aborted. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let leave = () => {};
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason);
  });
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([promise, left]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

export interface ResilienceOptions {
  defaults: DependencyLimits;
  /** By the name of a dependency. */
  overrides: Readonly<Record<string, Partial<DependencyLimits>>>;
  /** For tests: the pause of an open breaker. */
  breakerPause?: { initialDelay: number; maxDelay: number };
}

/** The dependencies of this process. Each process judges for itself. */
export class Resilience {
  readonly #options: ResilienceOptions;
  readonly #log: Pick<BaseLogger, 'warn' | 'info'>;
  readonly #dependencies = new Map<string, Dependency>();
  readonly durations = new Durations(
    'dependency_call_duration_seconds',
    'Calls with all their attempts.',
    BUCKETS,
    ['dependency'],
  );
  #onFirst: (() => void) | undefined;

  /** @param onFirst Called when the first dependency is called. */
  constructor(options: ResilienceOptions, log: Pick<BaseLogger, 'warn' | 'info'>, onFirst?: () => void) {
    this.#options = options;
    this.#log = log;
    this.#onFirst = onFirst;
  }

  /** Those that have been called since the start. */
  get dependencies(): readonly Dependency[] {
    return [...this.#dependencies.values()];
  }

  get(name: string): Dependency | undefined {
    return this.#dependencies.get(name);
  }

  /**
   * Calls a dependency: bulkhead, then retries within the budget, then the circuit breaker, then the time-out of an attempt.
   *
   * @param name Of the dependency; one of a few that are written in the code, as each is kept.
   * @param fn One attempt. It must hand `signal` on, as to `fetch`, so that what is given up ends; and throw where the
   *   dependency failed (see {@link assertAnswered}). It may be called again unless `options.retry` is false.
   * @throws DependencyUnavailableError where the call was not made; DependencyTimeoutError; the reason of `options.signal`; or
   *   what the last attempt threw.
   */
  async executeWithFullProtection<T>(
    name: string,
    fn: (signal: AbortSignal) => PromiseLike<T> | T,
    options: CallOptions = {},
  ): Promise<T> {
    const known = this.#dependencies.get(name) ?? (await this.#add(name));
    return known.execute(fn, options);
  }

  /** What `/health` shows. */
  judge(): { degraded: string } | undefined {
    const broken = this.dependencies.filter(({ state }) => state !== 'closed').map(({ name }) => name);
    return broken.length === 0 ? undefined : { degraded: `not called for now: ${broken.join(', ')}` };
  }

  async #add(name: string): Promise<Dependency> {
    const lib = await import('cockatiel');
    const { defaults, overrides, breakerPause = BREAKER_PAUSE } = this.#options;
    const existing = this.#dependencies.get(name);
    if (existing) return existing;
    const limits = { ...defaults, ...overrides[name] };
    const dependency = new Dependency(lib, name, limits, breakerPause, this.#log, (ms) =>
      this.durations.observe({ dependency: name }, ms),
    );
    this.#dependencies.set(name, dependency);
    this.#onFirst?.();
    this.#onFirst = undefined;
    return dependency;
  }
}

import type { BaseLogger } from 'pino';
import type { PlatformConfig } from '../config/config.ts';
import type { HealthChecks } from '../health/health-checks.ts';
import { Durations } from '../metrics/metrics.ts';
import { BREAKER_PAUSE, type CallOptions, Dependency, type DependencyLimits } from './dependency.ts';

const BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export interface ResilienceOptions {
  defaults: DependencyLimits;
  /** By the name of a dependency. */
  overrides: Readonly<Record<string, Partial<DependencyLimits>>>;
  /** For tests: the pause of an open breaker. */
  breakerPause?: typeof BREAKER_PAUSE;
}

/** The dependencies of this process, one instance each, so that every caller learns of one that fails. Each process judges for itself. */
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

/**
 * The process's dependencies, as the settings limit them.
 *
 * @param checks Get a row `dependencies` with the first call; one that is not called for now degrades it.
 */
export function createResilience(
  { dependencies: { limits, ...defaults } }: PlatformConfig,
  log: Pick<BaseLogger, 'warn' | 'info'>,
  checks?: HealthChecks,
): Resilience {
  const overrides: Record<string, Partial<DependencyLimits>> = {};
  for (const item of limits) {
    const [name = '', key = '', value] = item.split(/[.=]/);
    overrides[name] = { ...overrides[name], [key]: Number(value) };
  }
  const resilience: Resilience = new Resilience({ defaults, overrides }, log, () =>
    checks?.register({
      name: 'dependencies',
      required: false,
      timeoutMs: 1_000,
      run: () => resilience.judge(),
    }),
  );
  return resilience;
}

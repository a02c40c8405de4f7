import { within } from '../lib/within.ts';

/**
 * The result of a check. Undefined: it passes. `degraded`: it works, and needs attention. `details`: public figures, with
 * their unit in the name. A check that fails throws; only the message of a `CheckFailure` is public.
 */
export type CheckOutcome = { degraded?: string; details?: Record<string, number> } | undefined;

export interface Check {
  /** One word, as it appears in `/health`. */
  name: string;
  /** A required check that fails makes the process not ready; any other makes it degraded. */
  required: boolean;
  /** After this many milliseconds the check counts as failed. */
  timeoutMs: number;
  /** What the process knows without running the check. It is read each time, and replaces the last result. */
  known?(): Promise<'passing' | CheckFailure | undefined>;
  run(signal: AbortSignal): Promise<CheckOutcome> | CheckOutcome;
}

export interface CheckResult {
  status: 'passing' | 'degraded' | 'failing';
  required: boolean;
  durationMs: number;
  error?: string;
  /** This failure alone makes `/health` 503, although the process is ready. */
  unhealthy?: true;
  details?: Record<string, number>;
}

/** A failure whose message is public: it names no host, no user, no path. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure';
  readonly unhealthy: boolean;

  /** @param options.unhealthy Whether this failure alone makes `/health` 503, where the check is not required. */
  constructor(
    message: string,
    { unhealthy = false, ...options }: ErrorOptions & { unhealthy?: boolean } = {},
  ) {
    super(message, options);
    this.unhealthy = unhealthy;
  }
}

/** How long a result is fresh, and how old a result may be and still be returned, in milliseconds. */
const FRESH_PASSING_MS = 5_000;
const FRESH_FAILING_MS = 1_000;
const STALE_MS = 15_000;
const MAX_WAIT_MS = 1_000;
/** One lost packet is not an outage: a passing check fails after so many failures in a row. */
const MIN_FAILURES = 2;

interface Entry {
  check: Check;
  result: CheckResult | undefined;
  /** Wall-clock time of the last result: after a frozen process thaws only this clock knows how long it was away. */
  at: number;
  failures: number;
  flight: Promise<void> | undefined;
}

/**
 * The named checks behind `/ready` and `/health`.
 *
 * Nothing runs by itself: a check runs when its result is read and is no longer fresh. The reader gets the last result at
 * once and the check runs behind; only a result older than 15 s is waited for, for one second at most.
 */
export class HealthChecks {
  readonly #entries = new Map<string, Entry>();
  readonly #onFault: (check: string, error: unknown) => void;

  /** @param onFault Receives the original error of each run and each `known` that fails: for the log. */
  constructor(onFault: (check: string, error: unknown) => void = () => {}) {
    this.#onFault = onFault;
  }

  /** @throws Error where the name is taken. */
  register(check: Check): void {
    if (this.#entries.has(check.name)) throw new Error(`health checks: '${check.name}' is registered twice`);
    this.#entries.set(check.name, { check, result: undefined, at: 0, failures: 0, flight: undefined });
  }

  /**
   * The state of every check, or of the required ones.
   *
   * @param options.notOlderThanMs Older results are renewed and awaited, like stale ones.
   * @returns At once, but for results older than 15 s, which are awaited for 1 s at most.
   */
  async read(
    options: { requiredOnly?: boolean; notOlderThanMs?: number } = {},
  ): Promise<Record<string, CheckResult>> {
    const { notOlderThanMs = STALE_MS } = options;
    const entries = [...this.#entries.values()].filter(
      (entry) => entry.check.required || options.requiredOnly !== true,
    );
    await Promise.all(entries.map((entry) => this.#applyKnown(entry)));
    const now = Date.now();
    const awaited: Promise<void>[] = [];
    for (const entry of entries) {
      // A clock that was set back makes the age negative: such a result counts as stale.
      const age = entry.result && now >= entry.at ? now - entry.at : Number.POSITIVE_INFINITY;
      const goodForMs = entry.failures > 0 ? FRESH_FAILING_MS : FRESH_PASSING_MS;
      const fresh = age < Math.min(goodForMs, notOlderThanMs);
      if (fresh) continue;
      const flight = this.#refresh(entry);
      if (age > Math.min(STALE_MS, notOlderThanMs)) awaited.push(flight);
    }
    if (awaited.length > 0) await within(Promise.all(awaited), MAX_WAIT_MS, tooLate).catch(() => {});
    return Object.fromEntries(entries.map((entry) => [entry.check.name, resultOf(entry)]));
  }

  /**
   * The last results, without running a check.
   *
   * @param notOlderThanMs Older results are left out.
   */
  recent(notOlderThanMs: number): Record<string, CheckResult> {
    const age = (entry: Entry) => Math.abs(Date.now() - entry.at);
    const entries = [...this.#entries.values()].filter(
      (entry) => entry.result && age(entry) <= notOlderThanMs,
    );
    return Object.fromEntries(entries.map((entry) => [entry.check.name, resultOf(entry)]));
  }

  /** Takes what is known already as the check's result. Where `known` fails, the last result stays. Never rejects. */
  async #applyKnown(entry: Entry): Promise<void> {
    const { check, failures, result } = entry;
    let known: Awaited<ReturnType<NonNullable<Check['known']>>>;
    try {
      known = await check.known?.();
    } catch (error) {
      this.#onFault(check.name, error);
    }
    if (known === undefined || (known === 'passing' && failures === 0)) return;
    entry.failures = known === 'passing' ? 0 : MIN_FAILURES;
    entry.at = Date.now();
    entry.result = {
      ...(known === 'passing' ? { status: 'passing' } : { status: 'failing', error: known.message }),
      required: check.required,
      durationMs: result?.durationMs ?? 0,
    };
  }

  /** Runs the check, or joins the current run. Never rejects. */
  #refresh(entry: Entry): Promise<void> {
    entry.flight ??= this.#run(entry).finally(() => {
      entry.flight = undefined;
    });
    return entry.flight;
  }

  async #run(entry: Entry): Promise<void> {
    const { check } = entry;
    const started = performance.now();
    const abort = new AbortController();
    let found: Omit<CheckResult, 'required' | 'durationMs'>;
    try {
      const outcome = await within(
        Promise.resolve(check.run(abort.signal)),
        check.timeoutMs,
        () => new CheckFailure(`no answer within ${check.timeoutMs} ms`),
      );
      const { degraded, details } = outcome ?? {};
      found = degraded === undefined ? { status: 'passing' } : { status: 'degraded', error: degraded };
      if (details) found.details = details;
      entry.failures = 0;
    } catch (error) {
      this.#onFault(check.name, error);
      entry.failures += 1;
      const text = error instanceof CheckFailure ? error.message : 'the check failed; the log says why';
      const fails = entry.failures >= MIN_FAILURES || entry.result === undefined;
      const status = fails ? 'failing' : (entry.result?.status ?? 'failing');
      found = { status, error: text };
      if (fails && error instanceof CheckFailure && error.unhealthy) found.unhealthy = true;
    } finally {
      abort.abort();
    }
    entry.at = Date.now();
    entry.result = { ...found, required: check.required, durationMs: round(performance.now() - started) };
  }
}

function resultOf(entry: Entry): CheckResult {
  return (
    entry.result ?? {
      status: 'failing',
      required: entry.check.required,
      durationMs: 0,
      error: 'no answer yet',
    }
  );
}

const round = (ms: number): number => Math.round(ms * 10) / 10;

const tooLate = () => new Error(`The checks take longer than ${MAX_WAIT_MS} ms.`);

/**
 * What a check found. Undefined: all is well. `degraded`: it works, and somebody should look. `details`: figures for
 * anyone, with their unit in the name.
 * A check that cannot do its work throws; only a `CheckFailure`'s text is shown to strangers.
 */
export type CheckOutcome = { degraded?: string; details?: Record<string, number> } | undefined;

export interface Check {
  /** One word, as it appears in `/health`. */
  name: string;
  /** A required check that fails makes the process not ready; any other makes it degraded. */
  required: boolean;
  /** After this many milliseconds the check counts as failed. */
  timeoutMs: number;
  /** What the process knows without running it: outweighs the last result at once. Is asked at every look. */
  known?(): Promise<'passing' | CheckFailure | undefined>;
  run(signal: AbortSignal): Promise<CheckOutcome> | CheckOutcome;
}

export interface CheckResult {
  status: 'passing' | 'degraded' | 'failing';
  required: boolean;
  durationMs: number;
  error?: string;
  /** By this failure alone `/health` is 503, although the process is ready. */
  unhealthy?: true;
  details?: Record<string, number>;
}

/** A failure whose message may be shown to anyone: it names no host, no user, no path. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure';
  readonly unhealthy: boolean;

  /** @param options.unhealthy Whether `/health` is 503 by this alone, where the check is not required. */
  constructor(
    message: string,
    { unhealthy = false, ...options }: ErrorOptions & { unhealthy?: boolean } = {},
  ) {
    super(message, options);
    this.unhealthy = unhealthy;
  }
}

/** How long a result is good for, and how old one may be and still be answered with, in milliseconds. */
const FRESH_PASSING_MS = 5_000;
const FRESH_FAILING_MS = 1_000;
const STALE_MS = 15_000;
const MAX_WAIT_MS = 1_000;
/** One lost packet is not an outage: this many failures in a row turn a passing check. */
const FAILURES_TO_TURN = 2;

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
 * Nothing runs by itself: a check runs when somebody asks and its last result has aged. An asker gets the last result
 * at once and the check runs behind the answer; only a result older than 15 s is waited for, and for one second at most.
 */
export class HealthChecks {
  readonly #entries = new Map<string, Entry>();
  readonly #onFault: (check: string, error: unknown) => void;

  /** @param onFault Is told the true error of each run, and of each look at what is known, that fails: for the log. */
  constructor(onFault: (check: string, error: unknown) => void = () => {}) {
    this.#onFault = onFault;
  }

  /** @throws Error when the name is taken. */
  register(check: Check): void {
    if (this.#entries.has(check.name)) throw new Error(`health checks: '${check.name}' is registered twice`);
    this.#entries.set(check.name, { check, result: undefined, at: 0, failures: 0, flight: undefined });
  }

  /**
   * The state of every check, or of the required ones.
   *
   * @param options.notOlderThanMs Results older than this are made anew and awaited, like stale ones.
   * @returns At once, but for results older than 15 s, which are awaited for 1 s at most.
   */
  async read(
    options: { requiredOnly?: boolean; notOlderThanMs?: number } = {},
  ): Promise<Record<string, CheckResult>> {
    const { notOlderThanMs = STALE_MS } = options;
    const entries = [...this.#entries.values()].filter(
      (entry) => entry.check.required || options.requiredOnly !== true,
    );
    await Promise.all(entries.map((entry) => this.#heed(entry)));
    const now = Date.now();
    const awaited: Promise<void>[] = [];
    for (const entry of entries) {
      // A clock that was set back makes the age negative, which says nothing: such a result is as good as stale.
      const age = entry.result && now >= entry.at ? now - entry.at : Number.POSITIVE_INFINITY;
      const goodForMs = entry.failures > 0 ? FRESH_FAILING_MS : FRESH_PASSING_MS;
      const fresh = age < Math.min(goodForMs, notOlderThanMs);
      if (fresh) continue;
      const flight = this.#refresh(entry);
      if (age > Math.min(STALE_MS, notOlderThanMs)) awaited.push(flight);
    }
    if (awaited.length > 0) await atMost(Promise.all(awaited), MAX_WAIT_MS);
    return Object.fromEntries(entries.map((entry) => [entry.check.name, resultOf(entry)]));
  }

  /**
   * What is known without asking: results that are not older than this.
   *
   * @param notOlderThanMs Results that nobody has renewed for longer than this are left out.
   */
  recent(notOlderThanMs: number): Record<string, CheckResult> {
    const age = (entry: Entry) => Math.abs(Date.now() - entry.at);
    const entries = [...this.#entries.values()].filter(
      (entry) => entry.result && age(entry) <= notOlderThanMs,
    );
    return Object.fromEntries(entries.map((entry) => [entry.check.name, resultOf(entry)]));
  }

  /** Takes what is known already for the check's result; a look that fails knows nothing. Never rejects. */
  async #heed(entry: Entry): Promise<void> {
    const { check, failures, result } = entry;
    let known: Awaited<ReturnType<NonNullable<Check['known']>>>;
    try {
      known = await check.known?.();
    } catch (error) {
      this.#onFault(check.name, error);
    }
    if (known === undefined || (known === 'passing' && failures === 0)) return;
    entry.failures = known === 'passing' ? 0 : FAILURES_TO_TURN;
    entry.at = Date.now();
    entry.result = {
      ...(known === 'passing' ? { status: 'passing' } : { status: 'failing', error: known.message }),
      required: check.required,
      durationMs: result?.durationMs ?? 0,
    };
  }

  /** Runs the check, or joins the run that is under way. Never rejects. */
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
    let timer: NodeJS.Timeout | undefined;
    let found: Omit<CheckResult, 'required' | 'durationMs'>;
    try {
      const outcome = await Promise.race([
        check.run(abort.signal),
        new Promise<never>((_, reject) => {
          timer = setTimeout(
            () => reject(new CheckFailure(`no answer within ${check.timeoutMs} ms`)),
            check.timeoutMs,
          );
        }),
      ]);
      const { degraded, details } = outcome ?? {};
      found = degraded === undefined ? { status: 'passing' } : { status: 'degraded', error: degraded };
      if (details) found.details = details;
      entry.failures = 0;
    } catch (error) {
      this.#onFault(check.name, error);
      entry.failures += 1;
      const text = error instanceof CheckFailure ? error.message : 'the check failed; the log says why';
      const turned = entry.failures >= FAILURES_TO_TURN || entry.result === undefined;
      const status = turned ? 'failing' : (entry.result?.status ?? 'failing');
      found = { status, error: text };
      if (turned && error instanceof CheckFailure && error.unhealthy) found.unhealthy = true;
    } finally {
      clearTimeout(timer);
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

async function atMost(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    work,
    new Promise((resolve) => {
      timer = setTimeout(resolve, ms);
    }),
  ]);
  clearTimeout(timer);
}

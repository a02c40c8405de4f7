import type { BaseLogger } from 'pino';
import type { Alert } from '#contracts/operations/alerts.ts';
import { type Observation, RULES, type Rule } from './alert-rules.ts';

/** What is known about silences. They are kept elsewhere: in the database. */
export interface Silenced {
  /** Reads them again. Never rejects: while they cannot be read, the last known ones hold. */
  refresh(): Promise<void>;
  /** @returns Until when an alert is silenced, in milliseconds since 1970; undefined where it is not. */
  until(alert: string, at: number): number | undefined;
}

/** Between two looks, in milliseconds. A longer one is a gap, in which nobody looked: it proves nothing. */
const MAX_STEP_MS = 45_000;
/** What fires must be well for so long before it counts as resolved, and resolved ones are shown for so long. */
const CALM_MS = 30_000;
const SHOW_RESOLVED_MS = 15 * 60_000;

interface Track {
  rule: Rule;
  state: Alert['state'];
  /** When the state began; null for one that has always been well. */
  since: number | null;
  value: number | null;
  /** For how long it has been seen to last: pending, the fault; firing, the calm after it. */
  heldMs: number;
  /** Whether the last look saw calm. */
  calm: boolean;
  /** Whether its figure could not be told at the last look. */
  broken: boolean;
}

/**
 * The rules, and how each stands: ok → pending → firing → resolved → ok.
 *
 * Time is what was seen between two looks. A process that was frozen, or an hour without a request, neither fires nor
 * resolves anything: what was pending begins anew, and what was firing goes on until calm has been seen for a while.
 */
export class Alerts {
  readonly #tracks: readonly Track[];
  readonly #log: Pick<BaseLogger, 'info' | 'warn' | 'error'>;
  readonly #silenced: Silenced;
  readonly #listeners = new Set<() => void>();
  #lookedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param log Is told once of what fires and of what has resolved.
   */
  constructor(
    log: Pick<BaseLogger, 'info' | 'warn' | 'error'>,
    silenced: Silenced,
    rules: readonly Rule[] = RULES,
  ) {
    this.#log = log;
    this.#silenced = silenced;
    this.#tracks = rules.map((rule) => ({
      rule,
      state: 'ok',
      since: null,
      value: null,
      heldMs: 0,
      calm: true,
      broken: false,
    }));
  }

  /**
   * Judges every rule.
   *
   * @param at Now, in milliseconds since 1970.
   */
  look(at: number, now: Observation): void {
    const step = at - this.#lookedAt;
    // A clock that was set back says nothing either.
    const seenMs = step >= 0 && step <= MAX_STEP_MS ? step : undefined;
    this.#lookedAt = at;
    const changed: Track[] = [];
    for (const track of this.#tracks) {
      track.value = this.#valueOf(track, now);
      const before = track.state;
      judge(track, at, seenMs);
      if (track.state !== before) changed.push(track);
    }
    if (changed.length > 0) void this.#tell(changed, at);
  }

  /** Every rule and how it stands: firing ones first, then pending, then resolved. */
  list(at: number = Date.now()): Alert[] {
    const order: readonly Alert['state'][] = ['firing', 'pending', 'resolved', 'ok'];
    return this.#tracks
      .map((track) => this.#written(track, at))
      .sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  }

  /** Whether there is such a rule. */
  knows(name: string): boolean {
    return this.#tracks.some(({ rule }) => rule.name === name);
  }

  /** @returns A function that ends the subscription. The listener is told when the list has changed, not of each value. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** To be called when a silence has been made or has ended. */
  silencesChanged(): void {
    for (const listener of this.#listeners) listener();
  }

  /** A rule that throws knows nothing. It is said once, for the process must not end over it. */
  #valueOf(track: Track, now: Observation): number | null {
    const { rule, broken } = track;
    try {
      const value = rule.value(now);
      track.broken = false;
      return value;
    } catch (err) {
      track.broken = true;
      if (!broken) this.#log.error({ err, alert: rule.name }, `the alert rule ${rule.name} cannot be judged`);
      return null;
    }
  }

  async #tell(changed: readonly Track[], at: number): Promise<void> {
    const news = changed.map((track) => ({ ...track }));
    for (const listener of this.#listeners) listener();
    if (news.every(({ state }) => state !== 'firing' && state !== 'resolved')) return;
    await this.#silenced.refresh();
    for (const { rule, state, value } of news) {
      if (state !== 'firing' && state !== 'resolved') continue;
      const { name, summary, severity, threshold, unit } = rule;
      const silenced = this.#silenced.until(name, at) !== undefined;
      const fields = {
        alert: name,
        state,
        value: rounded(value),
        threshold,
        unit,
        ...(silenced && { silenced }),
      };
      if (state === 'resolved') this.#log.info(fields, `alert ${name} has resolved`);
      else {
        const level = silenced ? 'info' : severity === 'critical' ? 'error' : 'warn';
        this.#log[level](fields, `alert ${name}: ${summary}. See docs/runbook.md#${name}`);
      }
    }
    // What was read of silences may show as well.
    for (const listener of this.#listeners) listener();
  }

  #written({ rule, state, since, value }: Track, at: number): Alert {
    const { name, summary, severity, threshold, unit, forSeconds } = rule;
    const until = this.#silenced.until(name, at);
    return {
      name,
      summary,
      severity,
      state,
      since: since === null ? null : new Date(since).toISOString(),
      value: rounded(value),
      threshold,
      unit,
      forSeconds,
      runbook: `#${name}`,
      ...(until !== undefined && { silencedUntil: new Date(until).toISOString() }),
    };
  }
}

const rounded = (value: number | null) => (value === null ? null : Math.round(value * 100) / 100);

/** @param seenMs How long ago the last look was; undefined after a gap. */
function judge(track: Track, at: number, seenMs: number | undefined): void {
  const { rule, state, value } = track;
  const to = (next: Alert['state']) =>
    Object.assign(track, { state: next, since: at, heldMs: 0, calm: false });
  const faulty = value !== null && (rule.below ? value < rule.threshold : value > rule.threshold);

  if (state === 'firing') {
    const calm = value === null || (rule.below ? value >= rule.endsAt : value <= rule.endsAt);
    // The first calm look only begins it: what was before it is not known to have been calm.
    track.heldMs = calm && track.calm && seenMs !== undefined ? track.heldMs + seenMs : 0;
    track.calm = calm;
    if (track.heldMs >= CALM_MS) to('resolved');
  } else if (state === 'pending') {
    if (!faulty) return void to('ok');
    if (seenMs === undefined) return void to('pending');
    track.heldMs += seenMs;
    if (track.heldMs >= rule.forSeconds * 1_000) to('firing');
  } else if (faulty) {
    to('pending');
  } else if (state === 'resolved' && at - (track.since ?? at) >= SHOW_RESOLVED_MS) {
    to('ok');
  }
}

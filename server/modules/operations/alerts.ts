import type { BaseLogger } from 'pino';
import type { Alert } from '#contracts/operations/alerts.ts';
import { type Observation, RULES, type Rule } from './alert-rules.ts';

/** The silences as last read from the database. */
export interface Silenced {
  /** Reads them again. Never rejects: if they cannot be read, the last known ones apply. */
  refresh(): Promise<void>;
  /** @returns When the silence of an alert ends, in milliseconds since 1970; undefined if it is not silenced. */
  until(alert: string, at: number): number | undefined;
}

/** A longer time between two looks is a gap, which proves nothing. In milliseconds, as the next two. */
const MAX_STEP_MS = 45_000;
/** A firing alert resolves after this time without the fault, and is shown as resolved for the time below. */
const CALM_MS = 30_000;
const SHOW_RESOLVED_MS = 15 * 60_000;

type Log = Pick<BaseLogger, 'info' | 'warn' | 'error'>;

interface Track {
  readonly rule: Rule;
  state: Alert['state'];
  /** When the state began; null if it never changed. */
  since: number | null;
  value: number | null;
  /** Observed duration: of the fault while pending, of the calm while firing. */
  heldMs: number;
  /** Whether the last look found calm. */
  calm: boolean;
  /** Whether the rule threw at the last look. */
  broken: boolean;
}

/** Of alerts in a list. */
export const ORDER: readonly Alert['state'][] = ['firing', 'pending', 'resolved', 'ok'];

/**
 * The alert rules and the state of each: ok → pending → firing → resolved → ok.
 *
 * Only observed time counts. After a gap, such as a frozen process or an hour without requests, a pending alert starts again,
 * and a firing alert goes on until enough calm was observed.
 */
export class Alerts {
  readonly #tracks: readonly Track[];
  readonly #log: Log;
  readonly #silenced: Silenced;
  readonly #listeners = new Set<() => void>();
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** @param log Gets one line when an alert fires, and one when it resolves. */
  constructor(log: Log, silenced: Silenced, rules: readonly Rule[] = RULES) {
    this.#log = log;
    this.#silenced = silenced;
    const ok = { state: 'ok', since: null, value: null, heldMs: 0, calm: true, broken: false } as const;
    this.#tracks = rules.map((rule) => ({ rule, ...ok }));
  }

  /** Judges every rule. @param at Now, in milliseconds since 1970. */
  look(at: number, now: Observation): void {
    const step = at - this.#lookedAt;
    // A clock that was set back is a gap, too.
    const seenMs = step >= 0 && step <= MAX_STEP_MS ? step : undefined;
    this.#lookedAt = at;
    const changed = this.#tracks.filter((track) => {
      const before = track.state;
      track.value = this.#valueOf(track, now);
      judge(track, at, seenMs);
      return track.state !== before;
    });
    if (changed.length > 0) void this.#report(changed, at);
  }

  /** Every rule and its state: firing first, then pending, then resolved. */
  list(at: number = Date.now()): Alert[] {
    return this.#tracks
      .map(({ rule, state, since, value }): Alert => {
        const { name, summary, severity, threshold, unit, forSeconds } = rule;
        const until = this.#silenced.until(name, at);
        return {
          ...{ name, summary, severity, state, threshold, unit, forSeconds },
          since: since === null ? null : new Date(since).toISOString(),
          value: rounded(value),
          runbook: `#${name}`,
          ...(until !== undefined && { silencedUntil: new Date(until).toISOString() }),
        };
      })
      .sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  }

  /** Whether there is such a rule. */
  knows(name: string): boolean {
    return this.#tracks.some(({ rule }) => rule.name === name);
  }

  /** @returns A function that ends the subscription. The listener is called when a state or a silence has changed. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls the listeners: a state has changed, or a silence was created or ended. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Null for a rule that throws, which is logged once: it must not end the process. */
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

  async #report(changed: readonly Track[], at: number): Promise<void> {
    const news = changed
      .filter(({ state }) => state === 'firing' || state === 'resolved')
      .map((track) => ({ ...track }));
    this.changed();
    if (news.length === 0) return;
    await this.#silenced.refresh();
    for (const { rule, state, value } of news) {
      const { name, summary, severity, threshold, unit } = rule;
      const silenced = this.#silenced.until(name, at) !== undefined;
      const about = { alert: name, state, value: rounded(value), threshold, unit };
      const fields = silenced ? { ...about, silenced } : about;
      const level = severity === 'critical' ? 'error' : 'warn';
      if (state === 'resolved') this.#log.info(fields, `alert ${name} has resolved`);
      else
        this.#log[silenced ? 'info' : level](
          fields,
          `alert ${name}: ${summary}. See docs/runbook.md#${name}`,
        );
    }
    // The silences may have changed, too.
    this.changed();
  }
}

const rounded = (value: number | null) => value && Math.round(value * 100) / 100;

/** @param seenMs Time since the last look; undefined after a gap. */
function judge(track: Track, at: number, seenMs: number | undefined): void {
  const { rule, state, value } = track;
  const to = (next: Alert['state']) =>
    Object.assign(track, { state: next, since: at, heldMs: 0, calm: false });
  const faulty = value !== null && (rule.below ? value < rule.threshold : value > rule.threshold);

  if (state === 'firing') {
    const calm = value === null || (rule.below ? value >= rule.endsAt : value <= rule.endsAt);
    // The time before the first calm look does not count.
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

import { counter, type Metric } from '../../platform/metrics/metrics.ts';
import type { AlertRule } from '../../platform/parts.ts';

const MINUTE_MS = 60_000;
/** What the alert looks back on. */
const MINUTES = 5;

/** Sign-ins and sign-ups of this process. No label comes from outside. */
export class AccountFigures {
  #signIns = 0;
  #failures = 0;
  #signUps = 0;
  /** Failures of the last minutes, by the minute. */
  readonly #recent = new Map<number, number>();

  /** A sign-in has succeeded, all steps included. */
  signedIn(): void {
    this.#signIns++;
  }

  /** A password, a code, a passkey or a provider's answer was refused. @param now In milliseconds since 1970. */
  failed(now = Date.now()): void {
    this.#failures++;
    const minute = Math.floor(now / MINUTE_MS);
    this.#recent.set(minute, (this.#recent.get(minute) ?? 0) + 1);
    for (const old of this.#recent.keys()) if (old <= minute - MINUTES) this.#recent.delete(old);
  }

  signedUp(): void {
    this.#signUps++;
  }

  /** @returns Failures of the last five minutes. */
  recentFailures(now = Date.now()): number {
    const since = Math.floor(now / MINUTE_MS) - MINUTES;
    let sum = 0;
    for (const [minute, count] of this.#recent) if (minute > since) sum += count;
    return sum;
  }

  readonly metrics: readonly Metric[] = [
    counter('account_sign_ins_total', 'Sign-ins in this process, by how they ended.', () => [
      [{ outcome: 'success' }, this.#signIns],
      [{ outcome: 'failure' }, this.#failures],
    ]),
    counter('account_sign_ups_total', 'Accounts made in this process.', () => this.#signUps),
  ];

  readonly alertRules: readonly AlertRule[] = [
    {
      name: 'sign-in-failures',
      summary: 'More than 100 sign-ins failed in five minutes',
      severity: 'warning',
      unit: 'failures in five minutes',
      threshold: 100,
      endsAt: 50,
      forSeconds: 60,
      value: () => this.recentFailures(),
    },
  ];
}

import { sql } from 'drizzle-orm';
import { findUnavailable } from '../../platform/database/pool/unavailable.ts';
import { apartFromRequests } from '../../platform/lib/request-work.ts';
import { counter, type Metric } from '../../platform/metrics/metrics.ts';
import type { AlertRule } from '../../platform/parts.ts';
import { UNSENT } from './outbox.ts';
import type { MailPlatform } from './providers/provider.ts';
import { mailOutbox } from './table.ts';

/** Over all processes. */
export interface MailFigures {
  /** To be sent, those that no provider is set for among them. */
  readonly waiting: number;
  readonly held: number;
  readonly oldestSeconds: number;
  /** Not sent, and not tried any more: of the last 24 hours. */
  readonly failed: number;
  /** In percent of the mails sent in the last 24 hours; null where they are fewer than {@link MIN_SENT}. */
  readonly bouncePercent: number | null;
}

/** One bounce of a few mails says nothing of the sender. */
const MIN_SENT = 20;
/** Rules are judged again and again while requests come: the table is asked this often at most, in milliseconds. */
const FRESH_MS = 15_000;
const STALE_MS = 120_000;

const OUTCOMES = ['sent', 'failed', 'expired', 'bounced', 'complained', 'repeated'] as const;
export type MailOutcome = (typeof OUTCOMES)[number];

/** Figures of mails: counted in this process, and read from the table on demand. */
export class Figures {
  readonly #platform: MailPlatform;
  readonly #counted = new Map<string, Record<MailOutcome, number>>();
  #last: { at: number; figures: MailFigures } | undefined;
  #flight: Promise<MailFigures> | undefined;
  #sinceRead = 1;

  constructor(platform: MailPlatform) {
    this.#platform = platform;
  }

  count(template: string, outcome: MailOutcome): void {
    const none = Object.fromEntries(OUTCOMES.map((one) => [one, 0])) as Record<MailOutcome, number>;
    const counts = this.#counted.get(template) ?? none;
    counts[outcome]++;
    this.#counted.set(template, counts);
    this.touch();
  }

  /** A mail was written or sent: what was read is no longer all. */
  touch(): void {
    this.#sinceRead++;
  }

  /**
   * Asks the table; those who ask at once share the answer.
   *
   * @throws DatabaseUnavailableError
   */
  read(): Promise<MailFigures> {
    this.#flight ??= apartFromRequests(() => this.#read()).finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  metrics(): Metric[] {
    const read = (name: string, help: string, of: (figures: MailFigures) => number | null) => ({
      name,
      help,
      type: 'gauge' as const,
      read: async () => {
        const figures = await this.#tolerant();
        const value = figures ? of(figures) : null;
        return value === null ? [] : [{ labels: {}, value }];
      },
    });
    return [
      counter(
        'mail_outcomes_total',
        'Mails by how they ended, and attempts that may have repeated one.',
        () =>
          [...this.#counted].flatMap(([template, counts]) =>
            OUTCOMES.map((outcome) => [{ template, outcome }, counts[outcome]] as const),
          ),
      ),
      read('mail_waiting', 'Mails that are to be sent.', ({ waiting }) => waiting),
      read('mail_oldest_waiting_seconds', 'How long the oldest has waited.', (one) => one.oldestSeconds),
      read('mail_failed', 'Mails of the last day that were not sent.', ({ failed }) => failed),
      read(
        'mail_bounce_percent',
        'Bounces and complaints, of the mails sent in a day.',
        (one) => one.bouncePercent,
      ),
    ];
  }

  alertRules(): AlertRule[] {
    const warning = { severity: 'warning', forSeconds: 60 } as const;
    return [
      {
        ...warning,
        name: 'mail-bounces',
        summary: 'More than 5 % of the mails of a day bounced or were called spam',
        unit: '%',
        threshold: 5,
        endsAt: 4,
        value: () => this.#recent()?.bouncePercent ?? null,
      },
      {
        ...warning,
        name: 'mail-late',
        summary: 'A mail has waited for more than 15 minutes',
        unit: 's',
        threshold: 900,
        endsAt: 60,
        value: () => this.#recent()?.oldestSeconds ?? null,
      },
      {
        ...warning,
        name: 'mail-failed',
        summary: 'More than 10 mails of a day were not sent',
        unit: 'mails',
        threshold: 10,
        endsAt: 5,
        value: () => this.#recent()?.failed ?? null,
      },
    ];
  }

  /** What was last read. It is read again where mails were written or sent since, or where some waited. */
  #recent(): MailFigures | null {
    const age = this.#last ? Math.abs(Date.now() - this.#last.at) : Number.POSITIVE_INFINITY;
    const mayDiffer = this.#sinceRead > 0 || (this.#last?.figures.waiting ?? 0) > 0;
    if (age > FRESH_MS && mayDiffer && !this.#flight) this.#tolerant();
    return this.#last && (age < STALE_MS || !mayDiffer) ? this.#last.figures : null;
  }

  async #tolerant(): Promise<MailFigures | undefined> {
    try {
      return await this.read();
    } catch (err) {
      if (!findUnavailable(err)) this.#platform.log.warn({ err }, 'mails could not be counted');
      return undefined;
    }
  }

  async #read(): Promise<MailFigures> {
    this.#sinceRead = 0;
    const { rows } = await this.#platform.db.execute<
      { [Name in keyof MailFigures]: number } & { sent: number }
    >(sql`
      select u.*, e.* from
        (select count(*)::int as waiting, (count(*) filter (where state = 'held'))::int as held,
          coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as "oldestSeconds"
          from ${mailOutbox} where state in (${sql.join(
            UNSENT.map((state) => sql.raw(`'${state}'`)),
            sql`, `,
          )})) u,
        (select (count(*) filter (where state in ('failed', 'expired')))::int as failed,
          (count(*) filter (where state in ('sent', 'bounced', 'complained')))::int as sent,
          (100.0 * count(*) filter (where state in ('bounced', 'complained'))
            / nullif(count(*) filter (where state in ('sent', 'bounced', 'complained')), 0))::float8 as "bouncePercent"
          from ${mailOutbox} where ended_at > now() - interval '24 hours') e`);
    const { sent, ...row } = rows[0] as (typeof rows)[number];
    const figures: MailFigures = { ...row, bouncePercent: sent < MIN_SENT ? null : row.bouncePercent };
    this.#last = { at: Date.now(), figures };
    return figures;
  }
}

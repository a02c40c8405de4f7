import { sql } from 'drizzle-orm';
import { type Metric, outcomeCounter } from '../../platform/metrics/metrics.ts';
import { TableFigures } from '../../platform/metrics/table-figures.ts';
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

/** A mail that has waited for longer is late. */
export const MAX_LATE_SECONDS = 900;
/** One bounce of a few mails says nothing of the sender. */
const MIN_SENT = 20;

const OUTCOMES = ['sent', 'failed', 'expired', 'bounced', 'complained', 'repeated'] as const;
export type MailOutcome = (typeof OUTCOMES)[number];

/** Figures of mails: counted in this process, and read from the table on demand. */
export class Figures extends TableFigures<MailFigures> {
  readonly #platform: MailPlatform;
  readonly #outcomes = outcomeCounter(
    'mail_outcomes_total',
    'Mails by how they ended, and attempts that may have repeated one.',
    'template',
    OUTCOMES,
  );
  #touched = 0;

  constructor(platform: MailPlatform) {
    super(platform.log);
    this.#platform = platform;
  }

  count(template: string, outcome: MailOutcome): void {
    this.#outcomes.count(template, outcome);
    this.touch();
  }

  /** A mail was written or sent: what was read is no longer all. */
  touch(): void {
    this.#touched++;
  }

  /** While a mail waits, it gets older. */
  protected activity(): number {
    return this.last?.waiting ? performance.now() : this.#touched;
  }

  metrics(): Metric[] {
    return [
      this.#outcomes.metric,
      this.gauge('mail_waiting', 'Mails that are to be sent.', ({ waiting }) => waiting),
      this.gauge(
        'mail_oldest_waiting_seconds',
        'How long the oldest has waited.',
        (one) => one.oldestSeconds,
      ),
      this.gauge('mail_failed', 'Mails of the last day that were not sent.', ({ failed }) => failed),
      this.gauge(
        'mail_bounce_percent',
        'Bounces and complaints, of the mails sent in a day.',
        (one) => one.bouncePercent,
      ),
    ];
  }

  alertRules(): AlertRule[] {
    return [
      this.rule(
        'mail-bounces',
        'More than 5 % of the mails of a day bounced or were called spam',
        { unit: '%', threshold: 5, endsAt: 4 },
        ({ bouncePercent }) => bouncePercent,
      ),
      this.rule(
        'mail-late',
        'A mail has waited for more than 15 minutes',
        { unit: 's', threshold: MAX_LATE_SECONDS, endsAt: 60 },
        ({ oldestSeconds }) => oldestSeconds,
      ),
      this.rule(
        'mail-failed',
        'More than 10 mails of a day were not sent',
        { unit: 'mails', threshold: 10, endsAt: 5 },
        ({ failed }) => failed,
      ),
    ];
  }

  protected async query(): Promise<MailFigures> {
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
    return { ...row, bouncePercent: sent < MIN_SENT ? null : row.bouncePercent };
  }
}

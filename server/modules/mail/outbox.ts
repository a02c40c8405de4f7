import { createHash } from 'node:crypto';
import { domainToASCII } from 'node:url';
import { and, desc, eq, getTableColumns, inArray, isNotNull, lt, ne, or, type SQL, sql } from 'drizzle-orm';
import type { MailState, MailSuppression } from '#contracts/mail.ts';
import { secretText } from '../../platform/database/encryption/encrypted-text.ts';
import { EncryptionError } from '../../platform/database/encryption/keyring.ts';
import type { Transaction } from '../../platform/database/transaction.ts';
import { atMostEvery } from '../../platform/lib/at-most-every.ts';
import type { Content, MailPlatform } from './providers/provider.ts';
import { mailEvents, mailLimits, mailOutbox, mailSuppressed } from './table.ts';

/** Rows are kept for this long, and looked through this often at most while mails are written or sent, in milliseconds. */
const KEEP = sql`interval '30 days'`;
/** Longer than webhooks.ts accepts an event again. */
const KEEP_EVENTS = sql`interval '2 days'`;
const CLEAN_EVERY_MS = 3_600_000;
const CLEAN_BATCH = 500;

/** Longer than an attempt takes. */
const ATTEMPT = sql`interval '2 minutes'`;

const HOUR = sql`interval '1 hour'`;

/** States in which a mail is still to be sent. */
export const UNSENT = ['held', 'waiting', 'sending'] as const satisfies MailState[];

/** @returns What stands for an address wherever it is kept or shown: the same for each spelling of its domain, as of an IDN. */
export function hashOf(address: string): string {
  const [, local = address, domain = ''] = /^(.*)@([^@]*)$/.exec(address.trim()) ?? [];
  const known = (domainToASCII(domain) || domain).replace(/\.$/, '');
  return createHash('sha256').update(`${local}@${known}`.toLowerCase()).digest('hex');
}

export interface NewMail {
  readonly template: string;
  readonly perHour: number;
  readonly bulk: boolean;
  readonly state: MailState;
  readonly validHours: number;
  readonly content: Content;
  readonly requestId: string | undefined;
}

/** A mail that this process may send now. */
export interface ClaimedMail {
  readonly id: number;
  readonly template: string;
  readonly messageId: string;
  /** Why it cannot be read, where that is so. */
  readonly content: Content | EncryptionError;
  /** The end of the attempt before is unknown. */
  readonly isRepeat: boolean;
  readonly isExpired: boolean;
  readonly isSuppressed: boolean;
}

/** What a provider reports of a mail that it was handed. */
export interface ProviderEvent {
  readonly id: string;
  /** Of the outbox; where it is unknown, the event only suppresses the address. */
  readonly messageId: string | undefined;
  readonly address: string;
  readonly state: 'bounced' | 'complained' | undefined;
  readonly suppress: { readonly reason: MailSuppression['reason']; readonly bulkOnly: boolean } | undefined;
}

/** Neither what a mail says nor to whom. */
const {
  content: _content,
  jobId: _jobId,
  messageId: _messageId,
  bulk: _bulk,
  ...SHOWN
} = getTableColumns(mailOutbox);

const suppressed = (recipient: SQL | typeof mailOutbox.recipient, bulk: boolean | typeof mailOutbox.bulk) =>
  sql`exists (select from ${mailSuppressed} s where s.recipient = ${recipient} and (${bulk} or not s.bulk_only))`;

/** The statements on the table of mails. */
export class Outbox {
  readonly #platform: MailPlatform;
  /** Called after a mail is written and committed. */
  readonly cleanIfDue = atMostEvery(
    CLEAN_EVERY_MS,
    () => this.clean(),
    (err) => this.#platform.log.warn({ err }, 'expired mails could not be removed; a later one tries again'),
  );

  constructor(platform: MailPlatform) {
    this.#platform = platform;
  }

  /**
   * Adds a mail, unless the address is suppressed, or has had its number within the hour.
   *
   * @returns Queries of a WITH; `input` has the id.
   */
  add(mail: NewMail): SQL {
    const { template, perHour, bulk, state, validHours, content, requestId = null } = mail;
    const recipient = hashOf(content.to);
    const recent = sql`array(select at from unnest(${mailLimits.written}) at where at > now() - ${HOUR})`;
    return sql`
      counted as (
        insert into ${mailLimits} (recipient, template, written)
        select ${recipient}, ${template}, array[now()] where not ${suppressed(sql`${recipient}`, bulk)}
        on conflict (recipient, template) do update set written = ${recent} || now()
          where cardinality(${recent}) < ${perHour}
        returning recipient),
      input as (
        insert into ${mailOutbox} (template, recipient, bulk, state, content, request_id, expires_at, ended_at)
        select ${template}, recipient, ${bulk}, ${state},
          ${sql.param(secretText(JSON.stringify(content)), mailOutbox.content)}, ${requestId},
          now() + make_interval(hours => ${validHours}), ${isUnsent(state) ? null : sql`now()`}
        from counted returning id)`;
  }

  /** Takes a mail that waits, or that the same job began to send and did not end. */
  async claim(id: number, jobId: string): Promise<ClaimedMail | undefined> {
    const before = this.#platform.db
      .select({ id: mailOutbox.id, state: mailOutbox.state })
      .from(mailOutbox)
      .where(eq(mailOutbox.id, id))
      .for('update')
      .as('before');
    const [row] = await this.#platform.db
      .update(mailOutbox)
      .set({
        state: 'sending',
        jobId,
        startedAt: sql`now()`,
        attempts: sql`${mailOutbox.attempts} + 1`,
        repeats: sql`${mailOutbox.repeats} + (${before.state} = 'sending')::int`,
      })
      .from(before)
      .where(
        and(
          eq(mailOutbox.id, before.id),
          sql`(${before.state} = 'waiting' or (${before.state} = 'sending' and ${mailOutbox.jobId} = ${jobId}))`,
        ),
      )
      .returning({
        template: mailOutbox.template,
        messageId: mailOutbox.messageId,
        stored,
        isRepeat: sql<boolean>`${before.state} = 'sending'`,
        isExpired: sql<boolean>`${mailOutbox.expiresAt} <= now()`,
        isSuppressed: sql<boolean>`${suppressed(mailOutbox.recipient, mailOutbox.bulk)}`,
      });
    if (row?.stored == null) return undefined;
    return { ...row, id, content: opened(row.stored) };
  }

  /** Writes how an attempt ended. What a provider has reported meanwhile stays. */
  async end(id: number, state: MailState, error: string | null = null): Promise<void> {
    const erased = state === 'sent' || state === 'expired';
    await this.#platform.db
      .update(mailOutbox)
      .set({
        state,
        error,
        ...(erased && { content: null }),
        ...(!isUnsent(state) && { endedAt: sql`now()` }),
      })
      .where(and(eq(mailOutbox.id, id), eq(mailOutbox.state, 'sending')));
    this.cleanIfDue();
  }

  /** Takes what was written without a provider. @returns Queries of a WITH; `input` has the ids. */
  release(): SQL {
    return sql`input as (update ${mailOutbox} set state = 'waiting' where state = 'held' returning id)`;
  }

  /** Takes a mail again that failed, that waits, or whose attempt must be over. @returns Queries of a WITH; `input` has the id. */
  revive(id: number): SQL {
    return sql`input as (
      update ${mailOutbox} set state = 'waiting', job_id = null, ended_at = null, error = null
      where id = ${id} and expires_at > now()
        and (state in ('waiting', 'failed') or (state = 'sending' and started_at < now() - ${ATTEMPT}))
      returning id)`;
  }

  /** Records an event. @returns The template of its mail, for figures; false where the event was recorded before. */
  async recordEvent(event: ProviderEvent): Promise<{ template: string | undefined } | false> {
    const { id, messageId, address, state, suppress } = event;
    return this.#platform.database.transaction(async (tx) => {
      const { rowCount } = await tx.insert(mailEvents).values({ id }).onConflictDoNothing();
      if (rowCount === 0) return false;
      if (suppress) await this.suppress(tx, address, suppress.reason, suppress.bulkOnly);
      if (!messageId || !state) return { template: undefined };
      const [row] = await tx
        .update(mailOutbox)
        .set({ state, content: null, endedAt: sql`coalesce(${mailOutbox.endedAt}, now())` })
        // A complaint says more than a bounce, in whichever order they come.
        .where(
          and(eq(mailOutbox.messageId, messageId), sql`${mailOutbox.state} not in ('complained', ${state})`),
        )
        .returning({ template: mailOutbox.template });
      return { template: row?.template };
    });
  }

  /** Sends no mail to an address any more. One that is suppressed for all mail stays so. */
  async suppress(
    db: Pick<Transaction, 'insert'>,
    address: string | { hash: string },
    reason: MailSuppression['reason'],
    bulkOnly = false,
  ): Promise<typeof mailSuppressed.$inferSelect> {
    const recipient = typeof address === 'string' ? hashOf(address) : address.hash;
    const [row] = await db
      .insert(mailSuppressed)
      .values({ recipient, reason, bulkOnly })
      .onConflictDoUpdate({
        target: mailSuppressed.recipient,
        set: {
          reason: sql`case when ${mailSuppressed.bulkOnly} then excluded.reason else ${mailSuppressed.reason} end`,
          bulkOnly: sql`${mailSuppressed.bulkOnly} and excluded.bulk_only`,
        },
      })
      .returning();
    return row as typeof mailSuppressed.$inferSelect;
  }

  /** A page of mails, newest first. */
  list(where: { before: number; limit: number; state?: MailState; template?: string; recipient?: string }) {
    const { before, limit, state, template, recipient } = where;
    return this.#platform.db
      .select(SHOWN)
      .from(mailOutbox)
      .where(
        and(
          lt(mailOutbox.id, before),
          state && eq(mailOutbox.state, state),
          template === undefined ? undefined : eq(mailOutbox.template, template),
          recipient === undefined ? undefined : eq(mailOutbox.recipient, recipient),
        ),
      )
      .orderBy(desc(mailOutbox.id))
      .limit(limit);
  }

  /**
   * Removes what is kept of the mails to a person, but for one that is being sent. A suppression stays: it is the person's wish, and
   * a hash alone. So do the limits of the last hour.
   */
  async forget(tx: Transaction, address: string): Promise<void> {
    const ofPerson = eq(mailOutbox.recipient, hashOf(address));
    await tx.delete(mailOutbox).where(and(ofPerson, ne(mailOutbox.state, 'sending')));
  }

  async clean(): Promise<void> {
    const { db, log } = this.#platform;
    const expired = await db
      .update(mailOutbox)
      .set({ state: 'expired', content: null, endedAt: sql`now()` })
      .where(
        and(
          lt(mailOutbox.expiresAt, sql`now()`),
          or(
            // Where jobs run for those that wait, there is a provider; theirs may be gone.
            inArray(mailOutbox.state, ['held', 'waiting']),
            and(eq(mailOutbox.state, 'sending'), lt(mailOutbox.startedAt, sql`now() - ${ATTEMPT}`)),
          ),
        ),
      )
      .returning({ template: mailOutbox.template });
    if (expired.length > 0)
      log.error(
        { mails: expired.length },
        'mails have expired, because no provider is set or answers: they will not be sent',
      );
    await db
      .update(mailOutbox)
      .set({ content: null })
      .where(
        and(
          eq(mailOutbox.state, 'failed'),
          lt(mailOutbox.expiresAt, sql`now()`),
          isNotNull(mailOutbox.content),
        ),
      );
    const old = db
      .select({ id: mailOutbox.id })
      .from(mailOutbox)
      .where(lt(mailOutbox.endedAt, sql`now() - ${KEEP}`))
      .limit(CLEAN_BATCH)
      .for('update', { skipLocked: true });
    let removed: number | null;
    do {
      ({ rowCount: removed } = await db.delete(mailOutbox).where(inArray(mailOutbox.id, old)));
    } while (removed === CLEAN_BATCH);
    await db.delete(mailLimits).where(sql`now() - ${HOUR} > all (${mailLimits.written})`);
    await db.delete(mailEvents).where(lt(mailEvents.createdAt, sql`now() - ${KEEP_EVENTS}`));
  }
}

/** The column of the content, as it is stored. */
export const stored: SQL<string | null> = sql`${mailOutbox.content}`;

/** @returns What a mail says, or why it cannot be read. */
export function opened(stored: string): Content | EncryptionError {
  try {
    return JSON.parse(mailOutbox.content.mapFromDriverValue(stored) as string) as Content;
  } catch (error) {
    if (error instanceof EncryptionError) return error;
    throw error;
  }
}

const isUnsent = (state: MailState) => (UNSENT as readonly MailState[]).includes(state);

import { sql } from 'drizzle-orm';
import { Type } from 'typebox';
import { EncryptionError } from '../../platform/database/encryption/keyring.ts';
import type { Transaction } from '../../platform/database/transaction.ts';
import type { Job, JobRun, Jobs } from '../../platform/jobs.ts';
import type { Mailer, MailLayout, MailOptions, MailTemplate } from '../../platform/mailer.ts';
import { Figures } from './figures.ts';
import { Outbox } from './outbox.ts';
import {
  type Content,
  createProvider,
  type MailPlatform,
  type Provider,
  SendError,
} from './providers/provider.ts';
import { ADDRESS } from './settings.ts';
import { unsubscribeUrl } from './unsubscribe.ts';

const PER_HOUR = 3;
const VALID_HOURS = 72;
/** Characters of a subject; RFC 5322 allows 998 in a line. */
const MAX_SUBJECT = 500;
/** Bytes of text and HTML together, and of all attachments. */
const MAX_BODY_BYTES = 512 * 1_024;
const MAX_ATTACHMENT_BYTES = 5 * 1_024 * 1_024;
/** Attempts over about six hours: after 2 s, 4 s, … 5 minutes, so that an outage that ends delays no mail for long. */
const ATTEMPTS = 80;
const BACKOFF = { seconds: 2, max: 300 };
const ATTEMPT_MS = 60_000;

const Input = Type.Object({ id: Type.Integer() });
type Input = { id: number };

/** Writes mails to the outbox, and sends them from jobs. */
export class MailService implements Mailer {
  readonly platform: MailPlatform;
  readonly outbox: Outbox;
  readonly figures: Figures;
  readonly provider: Provider | undefined;
  readonly #jobs: Jobs;
  readonly #layout: MailLayout;
  /** Only where there is a provider: without a job the process runs no worker for mail. */
  readonly #job: Job<Input> | undefined;

  constructor(platform: MailPlatform, jobs: Jobs, layout: MailLayout) {
    this.platform = platform;
    this.outbox = new Outbox(platform);
    this.figures = new Figures(platform);
    this.provider = createProvider(platform);
    this.#jobs = jobs;
    this.#layout = layout;
    this.#job =
      this.provider &&
      jobs.define({
        name: 'send-mail',
        input: Input,
        concurrency: 5,
        timeoutMs: ATTEMPT_MS,
        // More than `run` uses: it gives up before the job does, so that the outbox says so.
        retries: ATTEMPTS + 3,
        backoff: BACKOFF,
        run: (run) => this.#run(run),
      });
  }

  get delivers(): boolean {
    return this.provider !== undefined;
  }

  /** Whether mails are read at `/dev/mail` instead of being sent. */
  get hasMailbox(): boolean {
    return !this.delivers && this.platform.config.environment === 'development';
  }

  async send<Data>(
    tx: Transaction,
    template: MailTemplate<Data>,
    to: string,
    data: Data,
    options: MailOptions = {},
  ): Promise<boolean> {
    const { name, perHour = PER_HOUR, bulk = false, validHours = VALID_HOURS } = template;
    const { actor } = options;
    const queries = this.outbox.add({
      template: name,
      perHour,
      bulk,
      validHours,
      state: this.delivers ? 'waiting' : this.hasMailbox ? 'mailbox' : 'held',
      content: this.#write(template, to, data, options),
      requestId: actor && ('headers' in actor ? actor.id : actor.requestId),
    });
    const added = this.#job
      ? await this.#jobs.enqueueRows(tx, this.#job, queries, actor && { actor })
      : (await tx.execute(sql`with ${queries} select id from input`)).rows.length;
    if (added === 0) return false;
    tx.afterCommit(() => {
      this.outbox.cleanIfDue();
      this.figures.touch();
    });
    return true;
  }

  /** Sends what waits for a provider that is set by now. */
  async release(): Promise<void> {
    const job = this.#job;
    if (!job) return;
    const { database, log } = this.platform;
    const released = await database.transaction((tx) =>
      this.#jobs.enqueueRows(tx, job, this.outbox.release()),
    );
    if (released > 0) log.info({ mails: released }, 'mails that waited for a provider are sent');
  }

  /** Sends a mail again that failed, or that waits for its next attempt. @returns Whether there was one that could be. */
  async retry(id: number): Promise<boolean> {
    const job = this.#job;
    if (!job) return false;
    const revived = await this.platform.database.transaction((tx) =>
      this.#jobs.enqueueRows(tx, job, this.outbox.revive(id)),
    );
    return revived > 0;
  }

  #write<Data>(
    template: MailTemplate<Data>,
    to: string,
    data: Data,
    { attachments = [] }: MailOptions,
  ): Content {
    if (!ADDRESS.test(to)) throw new TypeError('mail: the recipient is not one address.');
    const written = template.write(data);
    const { subject } = written;
    if (/\p{Cc}/u.test(subject) || subject.length > MAX_SUBJECT)
      throw new TypeError(
        `mail: the subject of '${template.name}' has a line break, or more than ${MAX_SUBJECT} characters.`,
      );
    const url = template.bulk && unsubscribeUrl(this.platform.config, to);
    const { text, html } = this.#layout({ ...written, unsubscribeUrl: url });
    if (Buffer.byteLength(text) + Buffer.byteLength(html.html) > MAX_BODY_BYTES)
      throw new TypeError(`mail: '${template.name}' is larger than ${MAX_BODY_BYTES} bytes.`);
    let bytes = 0;
    for (const { name, type, content } of attachments) {
      bytes += content.length;
      if (!/^[^\p{Cc}"/\\]{1,200}$/u.test(name) || !/^[\w.+-]+\/[\w.+-]+$/.test(type))
        throw new TypeError('mail: the name or the type of an attachment is not one.');
    }
    if (bytes > MAX_ATTACHMENT_BYTES)
      throw new TypeError(`mail: the attachments are larger than ${MAX_ATTACHMENT_BYTES} bytes.`);
    return {
      to,
      subject,
      text,
      html: html.html,
      ...(url && { unsubscribeUrl: url }),
      attachments: attachments.map(({ content, ...rest }) => ({
        ...rest,
        content: content.toString('base64'),
      })),
    };
  }

  async #run({ id: jobId, input: { id }, attempt, signal, log }: JobRun<Input>): Promise<void> {
    const { provider, outbox, figures } = this;
    const { from } = this.platform.config.mail;
    // Sent, taken by another job, or told of as bounced meanwhile.
    const mail = await outbox.claim(id, jobId);
    if (!mail || !provider || !from) return;
    const { template, messageId, content, isRepeat, isExpired, isSuppressed } = mail;
    if (isRepeat) figures.count(template, 'repeated');
    const end = async (state: 'sent' | 'failed' | 'expired', error?: string) => {
      await outbox.end(id, state, error);
      figures.count(template, state);
      if (state !== 'sent') log.warn({ mail: id, template, state }, `a mail was not sent: ${error}`);
    };
    if (isExpired) return end('expired', 'It could not be sent while it was of use');
    if (content instanceof EncryptionError) return end('failed', content.message);
    if (isSuppressed) return end('failed', 'The address is suppressed');
    try {
      await provider.send({ ...content, id: messageId, from, headers: headersOf(content) }, signal);
    } catch (error) {
      const { message, permanent = true, unclear = false } = error as Partial<SendError>;
      // Interrupted: the next attempt finds it as it is.
      if (!(error instanceof SendError)) throw error;
      if (permanent || attempt >= ATTEMPTS) return end('failed', message);
      // One that may have been sent stays as it is, so that the next attempt counts as a repeat.
      await outbox.end(id, unclear ? 'sending' : 'waiting', message);
      throw error;
    }
    await end('sent');
  }
}

/** RFC 8058: mail programs show a button that posts to the address. */
export const headersOf = ({ unsubscribeUrl: url }: Content): Record<string, string> =>
  url === undefined
    ? {}
    : { 'List-Unsubscribe': `<${url}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' };

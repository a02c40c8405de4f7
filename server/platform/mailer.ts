import type { FastifyRequest } from 'fastify';
import type { Transaction } from './database/transaction.ts';
import type { Html } from './lib/html.ts';
import type { Actor } from './parts.ts';

/** Sends mails that are written in the caller's transaction. A module such as mail supplies it; `server/app.ts` hands it on. */
export interface Mailer {
  /**
   * Writes a mail to the outbox: it is sent, with retries, once the caller's transaction is committed, and never where that is
   * rolled back. Until then it locks the recipient's limit: a transaction that mails several people sorts them by address, or two
   * may deadlock.
   *
   * @param to One address.
   * @returns Whether it will be sent: not where the address is suppressed, or has had as many of this template in the last hour.
   * @throws TypeError where the address, the subject or a header would hold a line break, or an attachment is too large.
   */
  send<Data>(
    tx: Transaction,
    template: MailTemplate<Data>,
    to: string,
    data: Data,
    options?: MailOptions,
  ): Promise<boolean>;
  /** Whether mails leave this server: a provider is set. Without one they wait, and in development are read at `/dev/mail`. */
  readonly delivers: boolean;
}

export interface MailTemplate<Data> {
  /** In logs, metrics and on screens, such as `reset-password`. */
  readonly name: string;
  /** Mails to one address within an hour. Default: 3. */
  readonly perHour?: number;
  /** Not asked for by the recipient, such as news: it carries `List-Unsubscribe`. */
  readonly bulk?: true;
  /** A mail is not sent later than this, in hours, such as when its link has expired. Default: 72. */
  readonly validHours?: number;
  /** Writes it: text and HTML say the same. Pure: it is called once, when the mail is written to the outbox. */
  write(data: Data): MailContent;
}

export interface MailContent {
  readonly subject: string;
  readonly text: string;
  /** The content, without the layout around it, made with `html` of `platform/lib/html.ts`, which escapes. */
  readonly html: Html;
}

/** Puts a layout around what a template wrote. */
export type MailLayout = (mail: {
  readonly subject: string;
  readonly text: string;
  readonly html: Html;
  /** Of bulk mail: where the recipient ends it. */
  readonly unsubscribeUrl: string | undefined;
}) => { readonly text: string; readonly html: Html };

export interface MailOptions {
  readonly attachments?: readonly {
    readonly name: string;
    readonly type: string;
    readonly content: Buffer;
  }[];
  /** On whose behalf. */
  readonly actor?: Actor | FastifyRequest;
}

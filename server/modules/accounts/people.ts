import type { TObject } from 'typebox';
import type { Transaction } from '../../platform/database/transaction.ts';
import type { MailTemplate } from '../../platform/mailer.ts';
import type { RoleMap } from './roles.ts';

/** The adopter's files, `server/features/people/`. */
export interface People {
  /** What each role allows. */
  readonly roles: RoleMap;
  /** Fields of an account besides its name and address, as TypeBox: what the sign-up and the account screen may send. */
  readonly profile: TObject;
  readonly mails: AccountMails;
  /** What API keys begin with: 2 to 16 lower-case letters. Default: `flt`. */
  readonly keyPrefix?: string | undefined;
  /**
   * Runs in the transaction that makes the account, whichever way a person signs up. Where it throws there is no account.
   *
   * @param tx For rows of your own, mails, jobs and events.
   */
  onSignUp?(tx: Transaction, user: NewUser): Promise<void>;
}

export interface NewUser {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly profile: Readonly<Record<string, unknown>>;
}

/** What every mail knows: who it is written to, and the address of this application. */
export interface ToPerson {
  readonly name: string;
  readonly appUrl: string;
}
/** A mail with a link that is used once. */
export interface WithLink extends ToPerson {
  readonly url: string;
}

/** The mails of accounts. Each is sent to the person whom it concerns. */
export interface AccountMails {
  readonly verify: MailTemplate<WithLink>;
  /** A sign-up used an address that has an account. */
  readonly accountExists: MailTemplate<WithLink>;
  readonly reset: MailTemplate<WithLink>;
  /** To the new address. */
  readonly changeEmail: MailTemplate<WithLink>;
  /** To the old one. */
  readonly emailChanged: MailTemplate<ToPerson>;
  readonly passwordChanged: MailTemplate<ToPerson>;
  readonly twoFactorOff: MailTemplate<ToPerson>;
  readonly passkeyAdded: MailTemplate<ToPerson>;
  readonly invitation: MailTemplate<WithLink>;
  readonly accountErased: MailTemplate<ToPerson>;
}

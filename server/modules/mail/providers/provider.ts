import { ConfigError, type ConfigProblem } from '../../../platform/config/problems.ts';
import type { Platform } from '../../../platform/parts.ts';
import { DependencyUnavailableError } from '../../../platform/resilience/errors.ts';
import type { mailSettings, Sender } from '../settings.ts';

export type MailPlatform = Platform<typeof mailSettings>;

/** What stands in the outbox of one mail. */
export interface Content {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** Of bulk mail. */
  readonly unsubscribeUrl?: string | undefined;
  /** `content` is base64. */
  readonly attachments: readonly { readonly name: string; readonly type: string; readonly content: string }[];
}

/** A mail as a provider is handed it. */
export interface Message extends Content {
  readonly from: Sender;
  /** Of our outbox; in the header `Message-ID` before the domain. */
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Why a mail was not sent, without an address. */
export class SendError extends Error {
  override readonly name = 'SendError';
  /** Another attempt would be refused as well. */
  readonly permanent: boolean;
  /** It may have been sent: the answer is missing. */
  readonly unclear: boolean;
  /** The provider works, and refuses this mail, for now or for good: other mails are sent meanwhile. */
  readonly ofMail: boolean;

  constructor(
    message: string,
    {
      permanent = false,
      unclear = false,
      ofMail = permanent,
    }: { permanent?: boolean; unclear?: boolean; ofMail?: boolean } = {},
  ) {
    super(message.replace(/[^\s<>"'(),;:]+@[^\s<>"'(),;:]+/g, '[address]').slice(0, 500));
    this.permanent = permanent;
    this.unclear = unclear;
    this.ofMail = ofMail;
  }
}

export interface Provider {
  readonly name: 'smtp' | 'mailgun' | 'sendgrid';
  /**
   * Sends a mail once.
   *
   * @throws SendError; the reason of the signal.
   */
  send(message: Message, signal: AbortSignal): Promise<void>;
  /** Closes what it keeps open. */
  end?(): void;
}

/** The longest a call may take, in milliseconds: less than an attempt of the job. */
const CALL_MS = 50_000;

/**
 * The provider that is set; its code is loaded with the first mail.
 *
 * @returns Undefined where none is set, or `MAIL_FROM` is not.
 * @throws ConfigError where two are set, or half of one.
 */
export function createProvider(platform: MailPlatform): Provider | undefined {
  const { from, smtpUrl, mailgun, sendgrid } = platform.config.mail;
  const problems: ConfigProblem[] = [];
  const set = Object.entries({
    SMTP_URL: smtpUrl,
    MAILGUN_API_KEY: mailgun.key,
    SENDGRID_API_KEY: sendgrid.key,
  }).flatMap(([variable, value]) => (value === undefined ? [] : variable));
  if (set.length > 1)
    problems.push({
      variable: set.join(', '),
      problem: 'are set, and one provider sends',
      remedy: 'Unset all of them but one.',
    });
  if (mailgun.key !== undefined && mailgun.domain === undefined)
    problems.push({
      variable: 'MAILGUN_API_KEY',
      problem: 'is set, but MAILGUN_DOMAIN is not',
      remedy: 'Set MAILGUN_DOMAIN to the domain that Mailgun sends for.',
    });
  if (problems.length > 0) throw new ConfigError(problems, []);
  if (from === undefined) return undefined;
  if (smtpUrl !== undefined) return lazily('smtp', async () => (await import('./smtp.ts')).smtp(platform));
  if (mailgun.key !== undefined)
    return lazily('mailgun', async () => (await import('./mailgun.ts')).mailgun(platform));
  if (sendgrid.key !== undefined)
    return lazily('sendgrid', async () => (await import('./sendgrid.ts')).sendgrid(platform));
  return undefined;

  function lazily(name: Provider['name'], load: () => Promise<Omit<Provider, 'name'>>): Provider {
    let loaded: Omit<Provider, 'name'> | undefined;
    return {
      name,
      async send(message, signal) {
        loaded ??= await load();
        const { send } = loaded;
        // The job tries again, over hours.
        const options = { signal, timeout: CALL_MS, retry: false };
        try {
          const refusal = await platform.resilience.executeWithFullProtection(
            name,
            (inner) => send(message, inner).catch(refusalOf),
            options,
          );
          if (refusal) throw refusal;
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof SendError) throw error;
          throw new SendError((error as Error).message, {
            unclear: !(error instanceof DependencyUnavailableError),
          });
        }
      },
      end: () => loaded?.end?.(),
    };
  }
}

/** A mail that is refused is no failure of the provider, which answers. @throws Any other error. */
function refusalOf(error: unknown): SendError {
  if (error instanceof SendError && error.ofMail) return error;
  throw error;
}

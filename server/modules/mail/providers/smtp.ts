import { createTransport } from 'nodemailer';
import { type MailPlatform, type Message, type Provider, SendError } from './provider.ts';

/** nodemailer's own are minutes. In milliseconds; parameters of `SMTP_URL` replace them. */
const TIMEOUTS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 20_000 };
/** A connection is kept for the next mail for so long. */
const IDLE_MS = 2_000;
/** Nothing of the mail was sent before one of these. */
const BEFORE_THE_MAIL = new Set(['EDNS', 'EAUTH', 'ETLS', 'EENVELOPE', 'ECONNREFUSED']);
const OF_THE_MAIL = new Set(['MAIL FROM', 'RCPT TO', 'DATA']);
const NO_TLS =
  'The mail server offers no TLS, or a third party hides it. Use smtps:// in SMTP_URL; `?requireTLS=false` sends in the clear';
const BEFORE_THE_GREETING = new Set(['CONNECT_TIMEOUT', 'GREETING_TIMEOUT', 'UPGRADE_TIMEOUT']);

interface SmtpError extends Error {
  code?: string;
  errno?: number;
  syscall?: string;
  command?: string;
  responseCode?: number;
  timeoutType?: string;
}

/** A mail as nodemailer takes it. */
export const composed = ({ id, from, to, subject, text, html, attachments, headers }: Message) => ({
  from,
  to: { name: '', address: to },
  subject,
  text,
  html,
  headers,
  messageId: `<${id}@${from.address.split('@')[1]}>`,
  attachments: attachments.map(({ name, type, content }) => ({
    filename: name,
    contentType: type,
    content,
    encoding: 'base64',
  })),
});

/** SMTP by nodemailer, over connections that are closed once no mail follows. */
export function smtp({ config }: MailPlatform): Omit<Provider, 'name'> {
  const url = new URL(config.mail.smtpUrl as string);
  const isHere = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  const transport = createTransport({
    url: url.href,
    pool: true,
    // A mail whose connection is lost would be sent again here, uncounted.
    maxRequeues: 0,
    idleTimeout: IDLE_MS,
    ...Object.fromEntries(
      // STARTTLS that a third party removes from the greeting is no reason to send a mail in the clear.
      Object.entries({ ...TIMEOUTS, requireTLS: !isHere }).filter(([name]) => !url.searchParams.has(name)),
    ),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send(message, signal) {
      try {
        await transport.sendMail({ ...composed(message), signal });
      } catch (error) {
        const { message: why, code = '', command = '', responseCode, timeoutType = '' } = error as SmtpError;
        // A wrong password, or no TLS, says nothing of the mail.
        const permanent = (responseCode ?? 0) >= 500 && OF_THE_MAIL.has(command);
        // Grey lists, full mailboxes and domains that do not resolve answer 4xx for one recipient; 421 closes the service.
        const ofMail =
          permanent || (command === 'RCPT TO' && responseCode !== undefined && responseCode !== 421);
        const isBefore =
          responseCode !== undefined ||
          BEFORE_THE_MAIL.has(code) ||
          BEFORE_THE_GREETING.has(timeoutType) ||
          (error as SmtpError).syscall === 'connect';
        const text = command === 'STARTTLS' && responseCode !== undefined ? `${NO_TLS}: ${why}` : why;
        throw new SendError(withoutMail(text, message), { permanent, unclear: !isBefore, ofMail });
      }
    },
    end: () => transport.close(),
  };
}

/** What a server answers may quote a link of the mail, and so its secret. Words of letters alone are not taken for one. */
const withoutMail = (answer: string, { text, html }: Message): string =>
  answer.slice(0, 1_000).replace(/[^\s<>"'(),;]{12,}/g, (word) => {
    const bare = word.replace(/[.:!?]+$/, '');
    return /[\d/=_-]/.test(bare) && (text.includes(bare) || html.includes(bare)) ? '[of the mail]' : word;
  });

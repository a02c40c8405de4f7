import { createPublicKey } from 'node:crypto';
import { inGroup, type Parser, Refusal, setting } from '../../platform/config/setting.ts';
import { origin, text } from '../../platform/config/values.ts';

/** An address, and the name before it. */
export interface Sender {
  readonly name: string;
  readonly address: string;
}

/** One address: no list, no comment, no line break, nothing that ends a header or a command of SMTP. */
export const ADDRESS = /^[^\s<>()[\],;:\\"@\p{C}]{1,64}@[^\s<>()[\],;:\\"@\p{C}]{1,253}$/u;

const sender: Parser<Sender> = {
  kind: 'an address, or `Name <address>`',
  parse(value) {
    const [, name = '', named] = /^"?([^"<>\p{C}]*?)"?\s*<([^<>]+)>$/u.exec(value) ?? [];
    const address = named ?? value;
    if (ADDRESS.test(address)) return { name, address };
    throw new Refusal(`'${value}' is no address`, 'Write it like Example <mail@example.com>.');
  },
};

const smtpUrl: Parser<string> = {
  kind: '`smtp://user:password@host:587`, or `smtps://…` for TLS from the first byte',
  secret: 'url',
  parse(value) {
    const url = URL.parse(value);
    if (url && /^smtps?:$/.test(url.protocol) && url.hostname) return value;
    throw new Refusal(
      'is not an address that starts with smtp:// or smtps://',
      'Write smtp://user:password@host:587.',
    );
  },
};

const sendgridKey: Parser<string> = {
  kind: 'a public key, as SendGrid shows it',
  parse(value) {
    try {
      const key = createPublicKey({ key: value, format: 'der', type: 'spki', encoding: 'base64' });
      if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return value;
    } catch {}
    throw new Refusal(
      'is no public key of the curve P-256 in base64',
      'Copy the verification key from SendGrid, Settings, Mail Settings, Event Webhook.',
    );
  },
};

export const mailSettings = inGroup('Mail', {
  mail: {
    from: setting('MAIL_FROM', sender, {
      aliases: [
        'EMAIL_FROM',
        'FROM_EMAIL',
        'DEFAULT_FROM_EMAIL',
        'SMTP_FROM',
        'MAIL_FROM_ADDRESS',
        'SENDGRID_FROM_EMAIL',
      ],
      doc: 'The sender of every mail. Its domain must be one that the provider may send for. Without it nothing is sent.',
    }),
    smtpUrl: setting('SMTP_URL', smtpUrl, {
      aliases: ['EMAIL_SERVER', 'EMAIL_URL', 'MAIL_URL', 'MAILER_DSN'],
      doc: 'Send over SMTP. TLS is required, except to this machine and with `?requireTLS=false`. Parameters such as `?socketTimeout=20000` are [nodemailer’s](https://nodemailer.com/smtp).',
    }),
    mailgun: {
      key: setting('MAILGUN_API_KEY', text('a key'), {
        aliases: ['MAILGUN_KEY'],
        secret: 'value',
        doc: 'Send by Mailgun, with `MAILGUN_DOMAIN`.',
      }),
      domain: setting('MAILGUN_DOMAIN', text('a domain'), { doc: 'The domain that Mailgun sends for.' }),
      webhookKey: setting('MAILGUN_WEBHOOK_SIGNING_KEY', text('a key'), {
        secret: 'value',
        doc: 'Verifies what Mailgun tells of bounces and complaints, at `/api/mail/events/mailgun`.',
      }),
      url: setting('MAILGUN_URL', origin, {
        default: 'https://api.mailgun.net',
        doc: 'Where Mailgun is called; `https://api.eu.mailgun.net` for domains in the EU.',
      }),
    },
    sendgrid: {
      key: setting('SENDGRID_API_KEY', text('a key'), {
        aliases: ['SENDGRID_KEY'],
        secret: 'value',
        doc: 'Send by SendGrid.',
      }),
      webhookKey: setting('SENDGRID_WEBHOOK_PUBLIC_KEY', sendgridKey, {
        doc: 'Verifies what SendGrid tells of bounces and complaints, at `/api/mail/events/sendgrid`.',
      }),
      url: setting('SENDGRID_URL', origin, {
        default: 'https://api.sendgrid.com',
        doc: 'Where SendGrid is called; `https://api.eu.sendgrid.com` for subusers in the EU.',
      }),
    },
  },
});

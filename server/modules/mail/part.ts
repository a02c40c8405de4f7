import type { Jobs } from '../../platform/jobs.ts';
import type { Mailer, MailLayout } from '../../platform/mailer.ts';
import type { Finding, Part, Platform } from '../../platform/parts.ts';
import { MAX_LATE_SECONDS } from './figures.ts';
import { MailService } from './mailer.ts';
import { hashOf } from './outbox.ts';
import { mailRoutes } from './routes.ts';
import type { mailSettings } from './settings.ts';
import { unsubscribeRoutes } from './unsubscribe.ts';
import { webhookRoutes } from './webhooks.ts';

/** A health check waits no longer for the database than this, in milliseconds. */
const CHECK_MS = 2_000;
/** Mails to one person that an export lists: more than 30 days of them. */
const MAX_EXPORTED = 10_000;

/**
 * Mail: written to an outbox in the caller's transaction, and sent from jobs. Features are handed it in `server/app.ts`.
 *
 * @param options.layout Yours: `server/features/mail/layout.ts`.
 * @throws ConfigError where two providers are set, or half of one.
 */
export function createMail({
  jobs,
  layout,
  ...platform
}: Platform<typeof mailSettings> & { jobs: Jobs; layout: MailLayout }): Mailer & Part {
  const service = new MailService(platform, jobs, layout);
  const { config, log, probeSources } = platform;
  const isProduction = config.environment === 'production';
  probeSources.lifecycle.onTransition(({ to }) => {
    if (to !== 'ready') return;
    service
      .release()
      .catch((err) => log.warn({ err }, 'mails that wait for a provider could not be released'));
  });

  return {
    name: 'mail',
    send: (tx, template, to, data, options) => service.send(tx, template, to, data, options),
    delivers: service.delivers,
    async routes(app) {
      await app.register(mailRoutes, { service });
      await app.register(webhookRoutes, { service });
      await app.register(unsubscribeRoutes, { service });
      if (config.environment !== 'development') return;
      const { mailboxRoutes } = await import('./mailbox.ts');
      await app.register(mailboxRoutes, { service });
    },
    // A mail is shown in a frame.
    ...(config.environment === 'development' && { contentSources: { 'frame-src': ["'self'"] } }),
    checks: [
      {
        name: 'mail',
        required: false,
        timeoutMs: CHECK_MS,
        async run() {
          if (!service.delivers && !isProduction) return undefined;
          const { waiting, failed, oldestSeconds } = await service.figures.read();
          const details = { waiting, failed, oldestSeconds: Math.round(oldestSeconds) };
          const late = oldestSeconds > MAX_LATE_SECONDS && `a mail has waited for ${details.oldestSeconds} s`;
          const why = service.delivers ? late : `no provider is set: ${waiting} mails wait`;
          return { details, ...(why && { degraded: why }) };
        },
      },
    ],
    alertRules: service.figures.alertRules(),
    metrics: service.figures.metrics(),
    findings: [providerFinding(service), eventsFinding(service)],
    personalData: {
      async export(_userId, email) {
        const all = { before: Number.MAX_SAFE_INTEGER, limit: MAX_EXPORTED, recipient: hashOf(email) };
        const mails = await service.outbox.list(all);
        return mails.length === 0 ? undefined : mails;
      },
      erase: (tx, _userId, email) => service.outbox.forget(tx, email),
    },
    async end() {
      service.provider?.end?.();
    },
  };
}

const providerFinding = ({ provider, platform }: MailService): Finding => ({
  name: 'mail-provider',
  title: 'Mail',
  judge() {
    const { mail, environment } = platform.config;
    const isSet = mail.smtpUrl ?? mail.mailgun.key ?? mail.sendgrid.key;
    if (provider) return { status: 'pass', detail: `Sent by ${provider.name}, from ${mail.from?.address}.` };
    const remedy = isSet
      ? 'Set MAIL_FROM, such as Example <mail@example.com>, to an address that the provider may send for.'
      : 'Set MAIL_FROM, and SMTP_URL, or MAILGUN_API_KEY and MAILGUN_DOMAIN, or SENDGRID_API_KEY.';
    return {
      status: 'fail',
      detail: `${isSet ? 'MAIL_FROM is not set' : 'No provider is set'}: mails wait in the outbox${environment === 'development' ? ' of /dev/mail' : ''}, and expire there.`,
      remedy,
    };
  },
});

const eventsFinding = ({ provider, platform }: MailService): Finding => ({
  name: 'mail-events',
  title: 'Bounces',
  judge() {
    const { mailgun, sendgrid } = platform.config.mail;
    const set = { mailgun: mailgun.webhookKey, sendgrid: sendgrid.webhookKey };
    if (!provider) return { status: 'pass', detail: 'No mail is sent.' };
    if (provider.name === 'smtp')
      return { status: 'pass', detail: 'SMTP tells of none: bounces come to the address of MAIL_FROM.' };
    if (set[provider.name] !== undefined)
      return { status: 'pass', detail: `Verified, at /api/mail/events/${provider.name}.` };
    const variable = { mailgun: 'MAILGUN_WEBHOOK_SIGNING_KEY', sendgrid: 'SENDGRID_WEBHOOK_PUBLIC_KEY' };
    return {
      status: 'warn',
      detail: 'Addresses that bounce or complain are sent to again, which costs the sender its reputation.',
      remedy: `Set ${variable[provider.name]}, and have ${provider.name} call /api/mail/events/${provider.name}.`,
    };
  },
});

import { post } from './http.ts';
import type { MailPlatform, Provider } from './provider.ts';

/** https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send */
export function sendgrid({ config }: MailPlatform): Omit<Provider, 'name'> {
  const { key, url } = config.mail.sendgrid;
  return {
    send({ id, from, to, subject, text, html, headers, attachments }, signal) {
      const body = {
        personalizations: [{ to: [{ email: to }], custom_args: { mail: id } }],
        from: { email: from.address, ...(from.name && { name: from.name }) },
        subject,
        content: [
          { type: 'text/plain', value: text },
          { type: 'text/html', value: html },
        ],
        headers: { 'Message-ID': `<${id}@${from.address.split('@')[1]}>`, ...headers },
        ...(attachments.length > 0 && {
          attachments: attachments.map(({ name, type, content }) => ({ filename: name, type, content })),
        }),
        // Links may hold secrets, which no redirect should see.
        tracking_settings: { click_tracking: { enable: false }, open_tracking: { enable: false } },
      };
      return post(`${url}/v3/mail/send`, {
        body: JSON.stringify(body),
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        signal,
      });
    },
  };
}

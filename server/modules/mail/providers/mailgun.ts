import { post } from './http.ts';
import type { MailPlatform, Provider } from './provider.ts';

/** https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages */
export function mailgun({ config }: MailPlatform): Omit<Provider, 'name'> {
  const { key, domain, url } = config.mail.mailgun;
  const authorization = `Basic ${Buffer.from(`api:${key}`).toString('base64')}`;
  return {
    send({ id, from, to, subject, text, html, headers, attachments }, signal) {
      const body = new FormData();
      const fields = {
        from: from.name ? `"${from.name}" <${from.address}>` : from.address,
        to,
        subject,
        text,
        html,
        'h:Message-Id': `<${id}@${from.address.split('@')[1]}>`,
        // Links may hold secrets, which no redirect should see.
        'o:tracking': 'no',
        'v:mail': id,
        ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [`h:${name}`, value])),
      };
      for (const [name, value] of Object.entries(fields)) body.append(name, value);
      for (const { name, type, content } of attachments)
        body.append('attachment', new Blob([Buffer.from(content, 'base64')], { type }), name);
      const path = `/v3/${encodeURIComponent(domain as string)}/messages`;
      return post(url + path, { body, headers: { authorization }, signal });
    },
  };
}

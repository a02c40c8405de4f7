import { Type } from 'typebox';
import { createApp as createOwn } from '../../../server/app.ts';
import { html } from '../../../server/platform/lib/html.ts';
import type { Mailer, MailTemplate } from '../../../server/platform/mailer.ts';
import type { Application, Platform } from '../../../server/platform/parts.ts';
import type { settings } from '../../../server/settings.ts';

const numbered: MailTemplate<number> = {
  name: 'numbered',
  perHour: 1_000,
  write: (n) => ({ subject: `number ${n}`, text: `This is ${n}`, html: html`<p>This is ${n}</p>` }),
};

const verify: MailTemplate<string> = {
  name: 'verify-address',
  write: (link) => ({
    subject: 'Verify your address',
    text: `Open this link to verify your address:\n\n${link}\n`,
    html: html`<h1>Verify your address</h1><p><a href="${link}">Verify address</a></p>`,
  }),
};

/** The application, with a route that sends mails: each with its number as the subject. */
export function createApp(platform: Platform<typeof settings>): Application {
  const own = createOwn(platform);
  const mail = own.modules.find(({ name }) => name === 'mail') as unknown as Mailer;
  return {
    ...own,
    features: [
      ...own.features,
      {
        name: 'numbers',
        async routes(app) {
          app.route<{ Querystring: { to: string; link: string } }>({
            method: 'POST',
            url: '/api/verifications',
            config: { access: 'public' },
            schema: { querystring: Type.Object({ to: Type.String(), link: Type.String() }) },
            async handler({ query: { to, link } }, reply) {
              const sent = await platform.database.transaction((tx) =>
                mail.send(tx, verify, to, link, {
                  attachments: [{ name: 'terms.txt', type: 'text/plain', content: Buffer.from('Be kind.') }],
                }),
              );
              return reply.code(201).send({ sent });
            },
          });
          app.route<{ Querystring: { from: number; count: number } }>({
            method: 'POST',
            url: '/api/numbers',
            config: { access: 'public' },
            schema: { querystring: Type.Object({ from: Type.Integer(), count: Type.Integer() }) },
            async handler({ query: { from, count } }, reply) {
              await platform.database.transaction(async (tx) => {
                for (let n = from; n < from + count; n++)
                  await mail.send(tx, numbered, `person${n}@example.com`, n);
              });
              return reply.code(201).send();
            },
          });
        },
      },
    ],
  };
}

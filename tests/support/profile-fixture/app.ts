import { Type } from 'typebox';
import { mails } from '../../../server/features/people/mails.ts';
import { createAccounts } from '../../../server/modules/accounts/part.ts';
import type { Application, Platform } from '../../../server/platform/parts.ts';
import type { settings } from '../../../server/settings.ts';

/** A field of every kind that a form shows. */
const profile = Type.Object({
  company: Type.String({
    title: 'Company',
    description: 'As on your invoices.',
    minLength: 2,
    maxLength: 40,
  }),
  size: Type.Union(
    [
      Type.Literal('small', { title: 'Up to 10 people' }),
      Type.Literal('large', { title: 'More than 10 people' }),
    ],
    { title: 'Size of the company' },
  ),
  terms: Type.Literal(true, { type: 'boolean', title: 'I accept the terms' }),
  seats: Type.Optional(Type.Integer({ title: 'Seats', minimum: 1, maximum: 500 })),
  about: Type.Optional(Type.String({ title: 'About you', maxLength: 1_000 })),
  plan: Type.Optional(Type.Unsafe({ enum: ['free', 'pro'] })),
  newsLetter: Type.Optional(Type.Boolean({ description: 'Once a month.' })),
  // The server alone knows this rule.
  handle: Type.Optional(Type.String({ title: 'Handle', not: { const: 'admin' } })),
});

/** Accounts with fields of an adopter's own, and nothing else: no mail, so that who signs up is signed in. */
export function createApp(platform: Platform<typeof settings>): Application {
  const accounts = createAccounts({ ...platform, people: { mails, profile, roles: {} } });
  return { modules: [accounts], features: [], identity: accounts.identity };
}

/**
 * YOURS. What the application is made of: the template's modules and your features, a line each. What a part needs is
 * handed to it here, so that the compiler says what is missing.
 */
import { layout } from './features/mail/layout.ts';
import { notes } from './features/notes/part.ts';
import { keyPrefix } from './features/people/keys.ts';
import { mails } from './features/people/mails.ts';
import { onSignUp } from './features/people/on-sign-up.ts';
import { profile } from './features/people/profile.ts';
import { roles } from './features/people/roles.ts';
import { createAccounts } from './modules/accounts/part.ts';
import { adoption } from './modules/adoption/part.ts';
import { apiDocs } from './modules/api-docs/part.ts';
import { createJobs } from './modules/jobs/part.ts';
import { createMail } from './modules/mail/part.ts';
import { operations } from './modules/operations/part.ts';
import { realtime } from './modules/realtime/part.ts';
import type { Application, Platform } from './platform/parts.ts';
import type { settings } from './settings.ts';

export function createApp(platform: Platform<typeof settings>): Application {
  const events = realtime(platform);
  const jobs = createJobs({
    ...platform,
    events,
  });
  const mail = createMail({ ...platform, jobs, layout });
  const people = { keyPrefix, mails, onSignUp, profile, roles };
  const accounts = createAccounts({
    ...platform,
    events,
    mail,
    people,
  });
  return {
    modules: [
      // The template's: each goes with `npm run strip NAME`.
      adoption(platform),
      operations(platform),
      apiDocs(platform),
      events,
      jobs,
      mail,
      accounts,
    ],
    features: [
      // Yours.
      notes({
        db: platform.db,
        events,
      }),
    ],
    identity: accounts.identity,
    // More for /health and /ready, such as httpCheck({ name: 'payments', url: 'https://…', required: false }).
    checks: [],
  };
}

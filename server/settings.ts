/**
 * YOURS. The application's settings: the modules', and your own, each stated once. `platform.config` of app.ts holds their
 * values; `npm run docs` writes the documentation. They are read before the port opens, so this file imports nothing but
 * `platform/config` and the parts' `settings.ts`. The platform's settings are in `platform/config/settings.ts`.
 */
import { accountsSettings } from './modules/accounts/settings.ts';
import { adoptionSettings } from './modules/adoption/settings.ts';
import { jobsSettings } from './modules/jobs/settings.ts';
import { mailSettings } from './modules/mail/settings.ts';
import { operationsSettings } from './modules/operations/settings.ts';
import { realtimeSettings } from './modules/realtime/settings.ts';
import type { OwnSettings } from './platform/config/config.ts';

export const settings = {
  // The modules'.
  ...adoptionSettings,
  ...operationsSettings,
  ...realtimeSettings,
  ...jobsSettings,
  ...mailSettings,
  ...accountsSettings,
  // Yours.
  // pageSize: setting('PAGE_SIZE', integer(1, 500), { default: 50, doc: 'Rows on a page.' }),
} satisfies OwnSettings;

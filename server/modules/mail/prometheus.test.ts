import { createTestApp } from '../../../tests/support/app.ts';
import { createDatabase, query } from '../../../tests/support/postgres.ts';
import { testPrometheus } from '../../../tests/support/prometheus.ts';
import { Figures } from './figures.ts';
import type { MailPlatform } from './providers/provider.ts';

testPrometheus('mail', new Figures({} as MailPlatform).alertRules(), async () => {
  const database = await createDatabase();
  // So many that bounces say something.
  await query(
    database.url,
    `insert into mail_outbox (template, recipient, bulk, state, expires_at, ended_at)
      select 'welcome', n::text, false, 'sent', now(), now() from generate_series(1, 25) n`,
  );
  await using test = await createTestApp(database.url);
  return (await test.app.metricsRegistry.scrape()).text;
});

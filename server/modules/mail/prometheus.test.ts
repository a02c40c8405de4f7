/** What deploy/prometheus holds for mail, against the rules that the server judges itself, and against what it exports. */
import { describe, it } from 'vitest';
import { createTestApp } from '../../../tests/support/app.ts';
import { createDatabase, query } from '../../../tests/support/postgres.ts';
import {
  alertsOf,
  expectDocumentedAndTested,
  expectExported,
  expectPromtool,
  expectSameRules,
  isPromtoolInstalled,
  seriesOf,
} from '../../../tests/support/prometheus.ts';
import { Figures } from './figures.ts';

const RULES = new Figures(undefined as never).alertRules();

describe.runIf(isPromtoolInstalled())('promtool', () => {
  it.each([
    ['check', 'rules', 'mail.yml'],
    ['test', 'rules', 'mail.test.yml'],
  ])('%s %s %s', expectPromtool);
});

it('they are those that the server judges itself, and lead to the runbook', async () => {
  await expectSameRules(await alertsOf('mail.yml'), RULES);
  await expectDocumentedAndTested('mail');
});

it('they ask for what the server exports', async () => {
  const database = await createDatabase();
  // So many that bounces say something.
  await query(
    database.url,
    `insert into mail_outbox (template, recipient, bulk, state, expires_at, ended_at)
      select 'welcome', n::text, false, 'sent', now(), now() from generate_series(1, 25) n`,
  );
  await using test = await createTestApp(database.url);
  const exported = seriesOf((await test.app.metricsRegistry.scrape()).text);
  expectExported(
    (await alertsOf('mail.yml')).map(({ expr }) => expr),
    exported,
  );
});

/** What deploy/prometheus holds for jobs, against the rules that the server judges itself, and against what it exports. */
import { describe, it } from 'vitest';
import { createTestApp } from '../../../tests/support/app.ts';
import { createDatabase } from '../../../tests/support/postgres.ts';
import {
  alertsOf,
  expectDocumentedAndTested,
  expectExported,
  expectPromtool,
  expectSameRules,
  isPromtoolInstalled,
  seriesOf,
} from '../../../tests/support/prometheus.ts';
import type { Jobs } from '../../platform/parts.ts';
import { Figures } from './figures.ts';

const RULES = new Figures(
  undefined as never,
  { warn() {} },
  () => [],
  () => 0,
).alertRules();

describe.runIf(isPromtoolInstalled())('promtool', () => {
  it.each([
    ['check', 'rules', 'jobs.yml'],
    ['test', 'rules', 'jobs.test.yml'],
  ])('%s %s %s', expectPromtool);
});

it('they are those that the server judges itself, and lead to the runbook', async () => {
  await expectSameRules(await alertsOf('jobs.yml'), RULES);
  await expectDocumentedAndTested('jobs');
});

it('they ask for what the server exports', async () => {
  const database = await createDatabase();
  await using test = await createTestApp(
    database.url,
    {},
    {
      features: [
        (_platform, own) => {
          const jobs = own.modules.find(({ name }) => name === 'jobs') as unknown as Jobs;
          jobs.define({ name: 'count', input: { type: 'object' } as never, run: async () => {} });
          return { name: 'counting' };
        },
      ],
    },
  );
  const exported = seriesOf((await test.app.metricsRegistry.scrape()).text);
  expectExported(
    (await alertsOf('jobs.yml')).map(({ expr }) => expr),
    exported,
  );
});

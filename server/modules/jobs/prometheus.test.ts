import { createTestApp } from '../../../tests/support/app.ts';
import { createDatabase } from '../../../tests/support/postgres.ts';
import { testPrometheus } from '../../../tests/support/prometheus.ts';
import type { Jobs } from '../../platform/jobs.ts';
import { Figures } from './figures.ts';

const none = new Figures(
  undefined as never,
  { warn() {} },
  () => [],
  () => 0,
);

testPrometheus('jobs', none.alertRules(), async () => {
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
  return (await test.app.metricsRegistry.scrape()).text;
});

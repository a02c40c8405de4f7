/** What deploy/ holds for this module, against the rules that it judges itself, and against what it really exports. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { createTestApp } from '../../../tests/support/app.ts';
import { createDatabase } from '../../../tests/support/postgres.ts';
import {
  alertsOf,
  expectDocumentedAndTested,
  expectExported,
  expectPromtool,
  expectSameRules,
  isPromtoolInstalled,
  rulesOf,
  seriesOf,
  visit,
} from '../../../tests/support/prometheus.ts';
import { ROOT } from '../../../tests/support/server.ts';
import { MIN_REQUESTS, RULES } from './alert-rules.ts';

describe.runIf(isPromtoolInstalled())('promtool', () => {
  it.each([
    ['check', 'rules', 'operations.yml'],
    ['test', 'rules', 'operations.test.yml'],
  ])('%s %s %s', expectPromtool);
});

describe('the alerts of Prometheus', () => {
  it('are those that the server judges itself, and lead to the runbook', async () => {
    const alerts = [...(await alertsOf('alerts.yml')), ...(await alertsOf('operations.yml'))];
    const theirs = alerts.filter(({ alert }) => alert !== 'InstanceDown' && alert !== 'NothingRuns');
    await expectSameRules(theirs, RULES);
  });

  it('ask for as much traffic', async () => {
    const ratios = (await alertsOf('alerts.yml')).filter(({ expr }) => expr.includes('increase5m >='));
    expect(ratios.map(({ expr }) => Number(/increase5m >= (\d+)/.exec(expr)?.[1]))).toEqual([
      MIN_REQUESTS,
      MIN_REQUESTS,
      MIN_REQUESTS,
    ]);
  });

  it('each have a test that lets them fire', async () => {
    await expectDocumentedAndTested('operations');
  });
});

it('what is asked of Prometheus is what the server exports, by the dashboard as well', async () => {
  const database = await createDatabase();
  {
    await using test = await createTestApp(database.url);
    await visit(test);
    const scrape = async () => seriesOf((await test.app.metricsRegistry.scrape()).text);
    // What is sampled is there after the first tick.
    await vi.waitFor(
      async () => expect((await scrape()).get('nodejs_eventloop_delay_p99_seconds')).toContain('instance'),
      { timeout: 60_000, interval: 200 },
    );
    const exported = await scrape();
    expectExported(
      (await rulesOf('operations.yml')).map(({ expr }) => expr),
      exported,
    );
    const dashboard = await readFile(join(ROOT, 'deploy', 'grafana', 'application.json'), 'utf8');
    const recorded = (await rulesOf('objectives.yml')).map(({ record }) => record);
    expectExported(expressionsOf(JSON.parse(dashboard)), exported, recorded);
  }
  await database.drop();
});

function expressionsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(expressionsOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'expr' && typeof inner === 'string' ? [inner] : expressionsOf(inner),
  );
}

/** What deploy/ holds for Prometheus, against Prometheus' own tool, and against what the server really exports. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createTestApp } from './support/app.ts';
import { createDatabase } from './support/postgres.ts';
import {
  alertsOf,
  expectDocumentedAndTested,
  expectExported,
  expectPromtool,
  isPromtoolInstalled,
  rulesOf,
  seriesOf,
  visit,
} from './support/prometheus.ts';
import { ROOT } from './support/server.ts';

const FILES = ['alerts', 'objectives'];

describe.runIf(isPromtoolInstalled())('promtool', () => {
  it.each([
    ['check', 'config', 'prometheus.yml'],
    ['check', 'rules', 'alerts.yml', 'objectives.yml'],
    ['test', 'rules', 'alerts.test.yml'],
    ['test', 'rules', 'objectives.test.yml'],
  ])('%s %s %s', { timeout: 180_000 }, expectPromtool);
});

describe('the alerts of Prometheus', () => {
  it.each(FILES)(
    'each lead to a part of the runbook, and have a test that lets them fire: %s',
    async (name) => {
      await expectDocumentedAndTested(name);
    },
  );

  it('each reach a receiver that there is', async () => {
    const { route, receivers } = parse(
      await readFile(join(ROOT, 'deploy', 'prometheus', 'alertmanager.yml'), 'utf8'),
    );
    const names = receivers.map(({ name }: { name: string }) => name);
    const severities = new Set(
      [...(await alertsOf('alerts.yml')), ...(await alertsOf('objectives.yml'))].map(
        ({ labels }) => labels?.severity,
      ),
    );
    expect(severities).toEqual(new Set(['critical', 'warning']));
    expect(names).toContain(route.receiver);
    for (const { receiver, matchers } of route.routes) {
      expect(names).toContain(receiver);
      expect(matchers).toEqual(['severity="critical"']);
    }
  });
});

it('what is asked of Prometheus is what the server exports', async () => {
  const database = await createDatabase();
  {
    await using test = await createTestApp(database.url);
    await visit(test);
    const exported = seriesOf((await test.app.metricsRegistry.scrape()).text);
    const rules = (await Promise.all(FILES.map((name) => rulesOf(`${name}.yml`)))).flat();
    expectExported(
      rules.map(({ expr }) => expr),
      exported,
      rules.map(({ record }) => record),
    );
  }
  await database.drop();
});

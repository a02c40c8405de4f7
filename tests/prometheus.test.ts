/**
 * What deploy/ holds for Prometheus and Grafana, against Prometheus' own tool, against the rules that the server judges
 * itself, and against what it really exports.
 */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { LEAST_REQUESTS, RULES } from '../server/modules/operations/alert-rules.ts';
import { createTestApp, type TestApp } from './support/app.ts';
import { createDatabase, type TestDatabase } from './support/postgres.ts';
import { runCommand } from './support/run-command.ts';
import { ROOT } from './support/server.ts';

const FOLDER = join(ROOT, 'deploy', 'prometheus');
const read = (...path: string[]) => readFile(join(ROOT, ...path), 'utf8');

interface PrometheusRule {
  alert?: string;
  record?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}
const rulesOf = async (file: string): Promise<PrometheusRule[]> =>
  parse(await read('deploy', 'prometheus', file)).groups.flatMap(
    (group: { rules: PrometheusRule[] }) => group.rules,
  );
const alertsOf = async (file: string) => (await rulesOf(file)).filter(({ alert }) => alert !== undefined);

const present = spawnSync('promtool', ['--version']).error === undefined;
if (!present) {
  if (process.env.CI) throw new Error('promtool is missing: install the package prometheus.');
  console.warn(
    'promtool is missing: what is written for Prometheus is not tested. Install the package prometheus.',
  );
}

describe.runIf(present)('promtool', () => {
  it.each([
    ['check', 'config', 'prometheus.yml'],
    ['check', 'rules', 'alerts.yml', 'objectives.yml'],
    ['test', 'rules', 'alerts.test.yml'],
    ['test', 'rules', 'objectives.test.yml'],
  ])('%s %s %s', { timeout: 180_000 }, async (...args) => {
    const { code, output } = await runCommand('promtool', args, { cwd: FOLDER });
    expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
  });
});

describe('the alerts of Prometheus', () => {
  it('are those that the server judges itself', async () => {
    const alerts = await alertsOf('alerts.yml');
    const theirs = alerts.filter(({ alert }) => alert !== 'InstanceDown' && alert !== 'NothingRuns');
    expect(theirs.map(asOurs)).toEqual(RULES.map(toBeCompared));
  });

  it('ask for as much traffic', async () => {
    const ratios = (await alertsOf('alerts.yml')).filter(({ expr }) => expr.includes('increase5m >='));
    expect(ratios.map(({ expr }) => Number(/increase5m >= (\d+)/.exec(expr)?.[1]))).toEqual([
      LEAST_REQUESTS,
      LEAST_REQUESTS,
      LEAST_REQUESTS,
    ]);
  });

  it('each lead to a part of the runbook', async () => {
    const headings = new Set(
      Array.from((await read('docs', 'runbook.md')).matchAll(/^#+ (.*)$/gm), ([, heading = '']) =>
        heading
          .toLowerCase()
          .replace(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
      ),
    );
    for (const { name } of RULES) expect(headings).toContain(name);
    for (const { annotations } of [
      ...(await alertsOf('alerts.yml')),
      ...(await alertsOf('objectives.yml')),
    ]) {
      const [file, part] = annotations?.runbook?.split('#') ?? [];
      expect(file).toBe('docs/runbook.md');
      expect(headings).toContain(part);
    }
  });

  it('each have a test that lets them fire', async () => {
    for (const name of ['alerts', 'objectives']) {
      const tests = await read('deploy', 'prometheus', `${name}.test.yml`);
      for (const { alert } of await alertsOf(`${name}.yml`)) expect(tests).toContain(`alertname="${alert}"`);
    }
  });

  it('each reach a receiver that there is', async () => {
    const { route, receivers } = parse(await read('deploy', 'prometheus', 'alertmanager.yml'));
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

/** A rule of ours, and one of theirs, in the same words. */
function toBeCompared({ name, summary, severity, threshold, below, forSeconds }: (typeof RULES)[number]) {
  const alert = name.replace(/(^|-)(\w)/g, (_, _dash, letter: string) => letter.toUpperCase());
  return {
    alert,
    summary,
    severity,
    fires: `${below ? '<' : '>'} ${threshold}`,
    for: `${forSeconds}s`,
    runbook: name,
  };
}
function asOurs({ alert, expr, for: time, labels, annotations }: PrometheusRule) {
  return {
    alert,
    summary: annotations?.summary,
    severity: labels?.severity,
    fires: /[<>] \d+/.exec(expr)?.[0],
    for: time,
    runbook: annotations?.runbook?.split('#')[1],
  };
}

describe('what is asked of Prometheus', () => {
  let database: TestDatabase;
  let test: TestApp;
  let exported: Map<string, Set<string>>;

  beforeAll(async () => {
    database = await createDatabase();
    test = await createTestApp(database.url);
    const url = await test.listen();
    for (const path of ['/', '/api/status', '/nowhere'])
      await fetch(url + path).then((answer) => answer.text());
    await test.database.pool.query('select 1');
    // What is sampled is there after the first tick.
    await vi.waitFor(
      async () => {
        exported = seriesOf((await test.app.metricsRegistry.scrape()).text);
        expect(exported.get('nodejs_eventloop_delay_p99_seconds')).toContain('instance');
      },
      { timeout: 60_000, interval: 200 },
    );
  });
  afterAll(async () => {
    await test[Symbol.asyncDispose]();
    await database.drop();
  });

  it.each([
    ['alerts.yml', async () => (await rulesOf('alerts.yml')).map(({ expr }) => expr)],
    ['objectives.yml', async () => (await rulesOf('objectives.yml')).map(({ expr }) => expr)],
    [
      'the dashboard',
      async () => expressionsOf(JSON.parse(await read('deploy', 'grafana', 'application.json'))),
    ],
  ])('is what the server exports: %s', async (_, expressions) => {
    const recorded = [...(await rulesOf('alerts.yml')), ...(await rulesOf('objectives.yml'))].map(
      ({ record }) => record,
    );
    const all = await expressions();
    expect(all.length).toBeGreaterThan(10);
    for (const expr of all) {
      for (const { name, labels } of metricsIn(expr)) {
        if (recorded.includes(name) || name === 'up') continue;
        expect([...exported.keys()], expr).toContain(name);
        const known = exported.get(name) ?? new Set();
        if (known.size > 0) for (const label of labels) expect(known, `${label} in ${expr}`).toContain(label);
      }
    }
  });
});

/** Every metric that a scrape holds, with its labels and those that Prometheus adds. */
function seriesOf(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  // Refusals have no series before the first: nobody knows their labels.
  for (const [, name = ''] of text.matchAll(/^# TYPE (\w+) (?:counter|gauge)$/gm)) found.set(name, new Set());
  for (const [, name = '', labels = ''] of text.matchAll(/^([a-z]\w*)(?:\{(.*)\})? \S+$/gm)) {
    const known = (found.get(name) ?? new Set()).add('job').add('instance');
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
    found.set(name, known);
  }
  return found;
}

/** Metrics with the labels that are selected. Names have an underscore or a colon, which nothing else in PromQL here has. */
function metricsIn(expr: string): { name: string; labels: string[] }[] {
  const withoutText = expr
    .replaceAll(/"[^"]*"|\$\w+/g, '""')
    .replaceAll(/\b(by|on|without)\s*\([^)]*\)/g, '');
  const functions = /^(histogram_quantile|avg_over_time|max_over_time|label_replace|clamp_min|clamp_max)$/;
  return Array.from(
    withoutText.matchAll(/([a-z]\w*(?::\w+)*)(?:\{([^}]*)\})?/gi),
    ([, name = '', selected = '']) => ({
      name,
      labels: Array.from(selected.matchAll(/(\w+)\s*[!=]/g), ([, label = '']) => label),
    }),
  ).filter(({ name }) => /[_:]/.test(name) && !functions.test(name) && !name.startsWith('__'));
}

function expressionsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(expressionsOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'expr' && typeof inner === 'string' ? [inner] : expressionsOf(inner),
  );
}

import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { AlertRule } from '../../server/platform/parts.ts';
import type { TestApp } from './app.ts';
import { runCommand } from './run-command.ts';
import { ROOT } from './server.ts';

const FOLDER = join(ROOT, 'deploy', 'prometheus');

export interface PrometheusRule {
  alert?: string;
  record?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

/** @param file Of deploy/prometheus. */
export const rulesOf = async (file: string): Promise<PrometheusRule[]> =>
  parse(await readFile(join(FOLDER, file), 'utf8')).groups.flatMap(
    (group: { rules: PrometheusRule[] }) => group.rules,
  );
export const alertsOf = async (file: string) =>
  (await rulesOf(file)).filter(({ alert }) => alert !== undefined);

/** @throws Error in CI, where promtool has to be. */
export function isPromtoolInstalled(): boolean {
  if (spawnSync('promtool', ['--version']).error === undefined) return true;
  if (process.env.CI) throw new Error('promtool is missing: install the package prometheus.');
  console.warn(
    'promtool is missing: what is written for Prometheus is not tested. Install the package prometheus.',
  );
  return false;
}

/** Expects promtool to find nothing wrong with files of deploy/prometheus. */
export async function expectPromtool(...args: string[]): Promise<void> {
  const { code, output } = await runCommand('promtool', args, { cwd: FOLDER });
  expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
}

/**
 * Tests what deploy/prometheus holds for a part, against the rules that the server judges itself, and against what it exports.
 *
 * @param scrape The metrics of a server with this part.
 */
export function testPrometheus(
  part: string,
  rules: readonly AlertRule[],
  scrape: () => Promise<string>,
): void {
  describe.runIf(isPromtoolInstalled())('promtool', () => {
    it.each([
      ['check', 'rules', `${part}.yml`],
      ['test', 'rules', `${part}.test.yml`],
    ])('%s %s %s', expectPromtool);
  });

  it('the alerts of Prometheus are those that the server judges itself, and lead to the runbook', async () => {
    await expectSameRules(await alertsOf(`${part}.yml`), rules);
    await expectDocumentedAndTested(part);
  });

  it('the alerts of Prometheus ask for what the server exports', async () => {
    const alerts = await alertsOf(`${part}.yml`);
    expectExported(
      alerts.map(({ expr }) => expr),
      seriesOf(await scrape()),
    );
  });
}

/** Expects each alert of a file to lead to a part of the runbook, and to have a test that lets it fire. */
export async function expectDocumentedAndTested(name: string): Promise<void> {
  const headings = await runbookHeadings();
  const tests = await readFile(join(FOLDER, `${name}.test.yml`), 'utf8');
  for (const { alert, annotations } of await alertsOf(`${name}.yml`)) {
    const [file, part] = annotations?.runbook?.split('#') ?? [];
    expect(file).toBe('docs/runbook.md');
    expect(headings).toContain(part);
    expect(tests).toContain(`alertname="${alert}"`);
  }
}

/** Expects alerts to be the rules that the server judges itself, and each to lead to the runbook. */
export async function expectSameRules(
  alerts: readonly PrometheusRule[],
  rules: readonly Omit<AlertRule, 'value'>[],
): Promise<void> {
  const ours = rules.map(({ name, summary, severity, threshold, below, forSeconds }) => ({
    alert: name.replace(/(^|-)(\w)/g, (_, _dash, letter: string) => letter.toUpperCase()),
    summary,
    severity,
    fires: `${below ? '<' : '>'} ${threshold}`,
    for: `${forSeconds}s`,
    runbook: name,
  }));
  const theirs = alerts.map(({ alert = '', expr, for: time, labels, annotations }) => ({
    alert,
    summary: annotations?.summary,
    severity: labels?.severity,
    fires: /[<>] \d+/.exec(expr)?.[0],
    for: time,
    runbook: annotations?.runbook?.split('#')[1],
  }));
  const byName = (one: { alert: string }, other: { alert: string }) => one.alert.localeCompare(other.alert);
  expect(theirs.sort(byName)).toEqual(ours.sort(byName));
  const headings = await runbookHeadings();
  for (const { name } of rules) expect(headings).toContain(name);
}

/** The anchors of the runbook's sections. */
async function runbookHeadings(): Promise<Set<string>> {
  const text = await readFile(join(ROOT, 'docs', 'runbook.md'), 'utf8');
  return new Set(
    Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Expects every metric that expressions ask for, and every label, to be among those of a scrape. */
export function expectExported(
  expressions: readonly string[],
  exported: Map<string, Set<string>>,
  recorded: readonly (string | undefined)[] = [],
): void {
  expect(expressions.length).toBeGreaterThan(2);
  for (const expr of expressions) {
    for (const { name, labels } of metricsIn(expr)) {
      if (recorded.includes(name) || name === 'up') continue;
      expect([...exported.keys()], expr).toContain(name);
      const known = exported.get(name) ?? new Set();
      if (known.size > 0) for (const label of labels) expect(known, `${label} in ${expr}`).toContain(label);
    }
  }
}

/** Has a server something to tell, by requests of every kind. */
export async function visit(test: TestApp): Promise<void> {
  const url = await test.listen();
  for (const path of ['/', '/api/status', '/nowhere']) await (await fetch(url + path)).text();
  await test.database.pool.query('select 1');
}

/** Every metric that a scrape holds, with its labels and those that Prometheus adds. */
export function seriesOf(text: string): Map<string, Set<string>> {
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

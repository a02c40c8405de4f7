import { describe, expect, it } from 'vitest';
import {
  alertsOf,
  expectDocumentedAndTested,
  expectPromtool,
  expectSameRules,
  isPromtoolInstalled,
} from '../../../tests/support/prometheus.ts';
import type { Family } from '../../platform/metrics/metrics.ts';
import { AccountFigures } from './figures.ts';

describe.runIf(isPromtoolInstalled())('promtool', () => {
  it.each([
    ['check', 'rules', 'accounts.yml'],
    ['test', 'rules', 'accounts.test.yml'],
  ])('%s %s %s', expectPromtool);
});

it('the alert of Prometheus is that of the server, is documented, and reads what is exported', async () => {
  const figures = new AccountFigures();
  await expectSameRules(await alertsOf('accounts.yml'), figures.alertRules);
  await expectDocumentedAndTested('accounts');
  const samples = await (figures.metrics[0] as Family).read();
  expect([...samples]).toContainEqual({ value: 0, labels: { outcome: 'failure' } });
});

it('counts failures of the last five minutes alone, and keeps no more', () => {
  const figures = new AccountFigures();
  const [rule] = figures.alertRules;
  const now = Date.now();
  for (let n = 0; n < 30; n++) figures.failed(now - 6 * 60_000);
  for (let n = 0; n < 101; n++) figures.failed(now);
  expect(rule?.value()).toBe(101);
  expect(figures.recentFailures(now + 5 * 60_000)).toBe(0);
  figures.signedIn();
  expect(rule?.value()).toBe(101);
});

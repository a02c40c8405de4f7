/** What other parts bring to operations: rules that are judged, findings that are shown. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Alert } from '#contracts/operations/alerts.ts';
import type { ProductionReadiness } from '#contracts/operations/deployment.ts';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { createDatabase, type TestDatabase } from '../../../tests/support/postgres.ts';
import type { AlertRule, Finding, Part } from '../../platform/parts.ts';

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';
let waiting = 0;
const rule: AlertRule = {
  name: 'post-waits',
  summary: 'Mail waits for its server',
  severity: 'warning',
  unit: 'letters',
  threshold: 10,
  endsAt: 5,
  forSeconds: 0,
  value: () => waiting,
};
const broken: AlertRule = {
  ...rule,
  name: 'post-broken',
  value: () => {
    throw new Error('the post cannot be counted');
  },
};
const post: Part = {
  name: 'post',
  alertRules: [rule, broken],
  findings: [
    {
      name: 'post-server',
      title: 'Mail',
      judge: () => ({ status: 'fail', detail: 'None is set.', remedy: 'Set MAIL_URL.' }),
    },
    { name: 'post-key', title: 'Mail key', judge: async () => ({ status: 'pass', detail: 'It is set.' }) },
    { name: 'post-late', title: 'Mail late', judge: () => new Promise(() => {}) },
    {
      name: 'post-throws',
      title: 'Mail throws',
      judge() {
        throw new Error('no');
      },
    },
  ],
};

let database: TestDatabase;
let server: TestApp;
let url: string;
beforeAll(async () => {
  database = await createDatabase();
  server = await createTestApp(database.url, { INTERNAL_API_KEY: KEY }, { features: [() => post] });
  url = await server.listen();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

async function read<Answer>(path: string): Promise<Answer> {
  const answer = await fetch(url + path, { headers: { 'x-api-key': KEY } });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Answer;
}

it('judges the rules of a part with its own; one that throws is said once, and ends nothing', async () => {
  const alert = async (name: string) => {
    const { alerts } = await read<{ alerts: Alert[] }>('/api/monitoring/alerts');
    return alerts.find((one) => one.name === name);
  };
  expect(await alert('post-waits')).toMatchObject({ state: 'ok', threshold: 10, runbook: '#post-waits' });
  waiting = 11;
  await vi.waitFor(
    async () => expect(await alert('post-waits')).toMatchObject({ state: 'firing', value: 11 }),
    { timeout: 60_000, interval: 200 },
  );
  expect(await alert('post-broken')).toMatchObject({ state: 'ok', value: null });
  expect(server.lines.filter(({ alert: name }) => name === 'post-broken')).toMatchObject([
    { level: 50, err: { message: 'the post cannot be counted' } },
  ]);
  const { text } = await server.app.metricsRegistry.scrape();
  expect(text).toContain('app_alert_state{alert="post-waits",severity="warning",state="firing"} 1');
});

it('shows the findings of a part behind its own, and waits for none', async () => {
  const { items, status } = await read<ProductionReadiness>('/api/monitoring/production-readiness');
  expect(items.slice(-4)).toMatchObject([
    { name: 'post-server', title: 'Mail', status: 'fail', remedy: 'Set MAIL_URL.' },
    { name: 'post-key', status: 'pass' },
    { name: 'post-late', status: 'warn' },
    { name: 'post-throws', status: 'warn' },
  ]);
  expect(status).toBe('fail');
  expect(server.lines.filter(({ finding }) => finding === 'post-throws')).toMatchObject([{ level: 50 }]);
});

it.each([
  ['alert rule', { name: 'x', alertRules: [{ ...rule, name: 'high-cpu' }] }],
  ['finding', { name: 'x', findings: [{ name: 'tls', title: '', judge: () => ({}) } as unknown as Finding] }],
])('refuses an %s that has the name of one of its own', async (what, part) => {
  await expect(createTestApp(database.url, {}, { features: [() => part] })).rejects.toThrow(
    `${what} '${what === 'finding' ? 'tls' : 'high-cpu'}' of its own`,
  );
});

it('tells scrapers of the event loop while it is looked at', async () => {
  await vi.waitFor(
    async () => {
      await (await fetch(`${url}/live`)).text();
      const { text } = await server.app.metricsRegistry.scrape();
      expect(text).toMatch(/^nodejs_eventloop_utilization [\d.e-]+$/m);
      expect(text).toMatch(/^nodejs_eventloop_delay_p99_seconds [\d.e-]+$/m);
    },
    { timeout: 60_000, interval: 200 },
  );
});

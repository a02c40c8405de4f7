import { expect, look, resize, test } from '../../../../tests/browser/fixtures.ts';
import { alerts, anHour, errors, figures, lines, wire } from '../../../../tests/browser/operations-wire.ts';
import { KEY, SECRETS, signIn } from '../../../../tests/browser/operators.ts';
import { SERVER_ENV } from '../../../../tests/browser/visitor.ts';

/** Routes of a product, as the overview shows them. */
const busiest = () =>
  [
    ['GET', '/api/orders', 9.2, 5.6],
    ['GET', '/api/orders/:id', 4.1, 3.9],
    ['POST', '/api/orders', 1.2, 11.8],
    ['GET', '/api/products', 0.7, 4.4],
    ['PATCH', '/api/orders/:id', 0.3, 9.7],
    ['POST', '/api/uploads', 0.1, 48.2],
  ].map(([method, route, requestsPerSecond, p95Ms]) => ({
    ...{ method, route, requestsPerSecond, p95Ms, requests: Math.round(3_600 * Number(requestsPerSecond)) },
    ...{ clientErrors: 0, errors: 0, p50Ms: 1.4, p90Ms: 4, p99Ms: 20, maxMs: 90 },
  }));

const TABS = ['Overview', 'Routes', 'Resources', 'Errors', 'Logs', 'Alerts', 'Settings'];

test('each screen keeps its width and its place while alerts fire, with an hour of data', async ({
  page,
  backend,
}) => {
  await using server = await backend.start(SECRETS);
  await server.ready();
  await signIn(page, `${server.url}/ops/errors?window=1h`);
  const say = await wire(page);
  const at = Date.now();
  await say('hello', { instance: 'web-1f3a9c', heartbeatMs: 15_000 });
  await say('history', anHour(at));
  await say('figures', figures(at));
  await say('errors', { instance: 'web-1f3a9c', errors: errors(at) });
  const bar = page.getByRole('navigation', { name: 'Main' });
  for (const tab of TABS) {
    await page.getByRole('link', { name: new RegExp(`^${tab}( ?\\d+ firing)?$`) }).click();
    await say('alerts', { instance: 'web-1f3a9c', alerts: alerts(at, 'event-loop-delay', 'not-ready') });
    await say('log', { instance: 'web-1f3a9c', lines: lines(at, 1, 60), missed: 0 });
    await expect(page.getByRole('main').locator('[aria-busy=true]')).toHaveCount(0);
    await resize(page, { width: 360, height: 740 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    const { x = -1, width = 0 } = (await bar.boundingBox()) ?? {};
    expect(x).toBeGreaterThanOrEqual(0);
    expect(x + width).toBeLessThanOrEqual(360);
    await look(page, `operations-firing-${tab.toLowerCase()}`, { widths: [360, 1440] });
  }
  await page.goto('about:blank');
});

test('an hour without trouble', { tag: '@pictures' }, async ({ page, backend }) => {
  // With the secret of the visitor's session, where there is one.
  await using server = await backend.start({ ...SECRETS, ...SERVER_ENV });
  await server.ready();
  // The tables agree with the figures below.
  await page.route('**/health', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), uptime: 273_600 } });
  });
  await page.route('**/api/monitoring/performance*', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), routes: busiest() } });
  });
  // Never answered, so that the process below is the first.
  await page.route('**/api/monitoring/stream*', () => {});
  await page.goto(`${server.url}/ops/errors?window=1h`);
  await page.getByLabel('Operators’ key').fill(KEY);
  await page.getByRole('button', { name: 'Sign in' }).click();
  const say = await wire(page);
  const at = Date.now();
  await say('hello', { instance: 'web-1f3a9c', heartbeatMs: 15_000 });
  const hour = anHour(at);
  await say('history', hour);
  const latest = { requestsPerSecond: hour.requestsPerSecond.at(-1) ?? 0, p95Ms: hour.p95Ms.at(-1) ?? 0 };
  await say('figures', { ...figures(at), ...latest });
  await say('alerts', { instance: 'web-1f3a9c', alerts: alerts(at) });
  await page.getByRole('link', { name: 'Overview' }).click();
  await expect(page.getByText(/No alerts\.$/)).toBeVisible();
  await look(page, 'operations-calm', { widths: [1440] });
  await page.goto('about:blank');
});

test('a line of a log that moves can be pressed', async ({ page, backend }) => {
  await using server = await backend.start(SECRETS);
  await server.ready();
  await signIn(page, `${server.url}/ops/logs`);
  const say = await wire(page);
  const at = Date.now();
  await say('hello', { instance: 'web-1f3a9c', heartbeatMs: 15_000 });
  await say('log', { instance: 'web-1f3a9c', lines: lines(at, 1, 60), missed: 0 });
  const log = page.getByRole('region', { name: 'Log' });
  // A line of an error has its message, and a status of 500 or more stands out.
  await expect(log.getByText(/^request failed: Cannot read properties/)).toHaveCount(5);
  await expect(log.getByText('503', { exact: true }).first()).toHaveClass(/failing/);
  const line = log.getByRole('listitem').filter({ hasText: '/api/notes/50 ' });
  await line.hover();
  const before = await line.boundingBox();
  await say('log', { instance: 'web-1f3a9c', lines: lines(at, 61, 40), missed: 0 });
  await expect(page.getByText('40 newer lines')).toBeVisible();
  expect(await line.boundingBox()).toEqual(before);
  await page.mouse.down();
  await page.mouse.up();
  await expect(page.getByRole('dialog').getByRole('region', { name: 'Fields' })).toContainText(
    '/api/notes/50',
  );
  await page.keyboard.press('Escape');
  await page.getByLabel('Filter lines').click();
  await expect(log.getByRole('listitem')).toHaveCount(100);
  await expect(log.getByRole('listitem').last()).toBeInViewport();
  await page.goto('about:blank');
});

import { randomBytes } from 'node:crypto';
import { expect, gate, look, settle, test } from '../../../../tests/browser/fixtures.ts';
import { heading, KEY, SECRETS, sentence, signIn } from '../../../../tests/browser/operators.ts';

// Each has a server of its own, so they need not wait for each other.
test.describe.configure({ mode: 'parallel' });

test.describe('signing in', () => {
  test.use({ failedRequests: true });

  test('says what to set where nobody can sign in', async ({ page, backend }) => {
    await using server = await backend.start();
    await server.ready();
    await page.goto(`${server.url}/ops`);
    await expect(page.getByText('Sign-in is off')).toBeVisible();
    await expect(page.getByText(/INTERNAL_API_KEY/)).toBeVisible();
    await look(page, 'operations-closed');
  });

  test('takes one key, tells a wrong one, and comes back to the view that was asked for', async ({
    page,
    backend,
  }) => {
    let server = await backend.start(SECRETS);
    await server.ready();
    const address = `${server.url}/ops/resources?window=5m`;
    await page.goto(address);
    const key = page.getByLabel('Operators’ key');
    await expect(key).toBeFocused();
    await expect(key).toHaveAttribute('autocomplete', 'current-password');
    await look(page, 'operations-sign-in');

    await key.fill('not the key');
    await page.keyboard.press('Enter');
    await expect(key).toHaveAccessibleDescription(/not one of those/);
    await look(page, 'operations-wrong-key');
    await key.fill(KEY);
    await page.keyboard.press('Enter');
    await expect(heading(page, 'Resources')).toBeVisible();
    await expect(page).toHaveURL(address);
    await expect(page.getByRole('button', { name: '5 min', exact: true })).toHaveAttribute(
      'aria-pressed',
      'true',
    );
    expect(await page.evaluate(() => document.cookie)).toBe('');

    // Another key ends every session that the old one began.
    await server.end('SIGKILL');
    server = await backend.start({
      ...SECRETS,
      INTERNAL_API_KEY: randomBytes(32).toString('base64url'),
      PORT: String(server.port),
    });
    await server.ready();
    await expect(page.getByLabel('Operators’ key')).toBeVisible();
    await expect(page).toHaveURL(address);
    await server.end();
  });

  test('ends with signing out', async ({ page, backend }) => {
    await using server = await backend.start(SECRETS);
    await server.ready();
    await signIn(page, `${server.url}/ops/settings`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(page.getByLabel('Operators’ key')).toBeVisible();
    await page.reload();
    await expect(page.getByLabel('Operators’ key')).toBeVisible();
  });

  test('takes a token out of the address before it is used', async ({ page, backend }) => {
    await using server = await backend.start(SECRETS);
    await server.ready();
    await page.goto(`${server.url}/ops?window=1h#token=${'x'.repeat(43)}`);
    await expect(page).toHaveURL(`${server.url}/ops?window=1h`);
    await expect(page.getByRole('alert')).toContainText('This link has been used');
    await expect(page.getByLabel('Operators’ key')).toBeVisible();
  });
});

test.describe('in trouble', () => {
  test.use({ failedRequests: true });

  test('shows a stopped database, and its return', async ({ page, backend }) => {
    const way = await gate(backend.databaseUrl);
    await way.open();
    await using server = await backend.start({ ...SECRETS, DATABASE_URL: way.url });
    await server.ready();
    await signIn(page, `${server.url}/ops`);
    await expect(sentence(page)).toContainText('Ready for');
    way.close();
    const closedAt = Date.now();
    await expect(sentence(page)).toContainText('Not ready');
    test.info().annotations.push({
      type: 'database stopped, shown after, ms',
      description: String(Date.now() - closedAt),
    });
    await look(page, 'operations-not-ready');
    await way.open();
    await expect(sentence(page)).toContainText(/^Ready/);
    way.close();
  });

  test('asks every 5 s where no stream gets through', async ({ page, backend }) => {
    await using server = await backend.start(SECRETS);
    await server.ready();
    await page.route('**/api/monitoring/stream*', (route) => route.abort());
    await page.goto(`${server.url}/ops`);
    await page.getByLabel('Operators’ key').fill(KEY);
    await page.keyboard.press('Enter');
    await expect(page.getByText('Every 5 s')).toBeVisible();
    await expect(sentence(page)).toBeVisible();
    await page.unroute('**/api/monitoring/stream*');
    // It is tried again after 15 s, with the next of the requests.
    await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 60_000 });
  });

  test('begins anew when another process answers, and says so', async ({ page, backend }) => {
    let server = await backend.start(SECRETS);
    await server.ready();
    await signIn(page, `${server.url}/ops`);
    await expect(sentence(page)).toBeVisible();
    await server.end('SIGKILL');
    await expect(page.getByText(/No answer since \d/)).toBeVisible();
    await look(page, 'operations-unreachable');
    server = await backend.start({ ...SECRETS, PORT: String(server.port) });
    await server.ready();
    await expect(page.getByText('A new process answers')).toBeVisible();
    await server.end();
  });

  test('keeps its view until the next screen has loaded', async ({ page, backend }) => {
    await using server = await backend.start(SECRETS);
    await server.ready();
    await signIn(page, `${server.url}/ops/resources`);
    const arrival = Promise.withResolvers<void>();
    await page.route('**/assets/home-screen*', (route) => arrival.promise.then(() => route.continue()));
    await page.getByRole('link', { name: 'Home' }).click();
    await page.waitForURL(`${server.url}/`);
    await settle(page);
    await expect(heading(page, 'Resources')).toBeVisible();
    await expect(page).toHaveTitle(/^Resources/);
    arrival.resolve();
    await expect(page.getByText('Welcome.')).toBeVisible();
  });

  test('hears nothing while the tab is hidden', async ({ page, backend }) => {
    await using server = await backend.start(SECRETS);
    await server.ready();
    await signIn(page, `${server.url}/ops`);
    const streams: string[] = [];
    page.on('requestfinished', (request) => request.url().includes('/stream') && streams.push('ended'));
    page.on('requestfailed', (request) => request.url().includes('/stream') && streams.push('ended'));
    page.on('request', (request) => request.url().includes('/stream') && streams.push('begun'));
    const show = (state: string) =>
      page.evaluate((state) => {
        Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      }, state);
    await show('hidden');
    await expect(() => expect(streams).toEqual(['ended'])).toPass();
    await show('visible');
    await expect(() => expect(streams).toEqual(['ended', 'begun'])).toPass();
  });
});

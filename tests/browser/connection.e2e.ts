import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { ROOT } from '../support/server.ts';
import { expect, look, resize, test } from './fixtures.ts';

test.use({ failedRequests: true });

test('says that the server is away, and that it is back', async ({ page, backend }) => {
  let server = await backend.start();
  await server.ready();
  await page.goto(server.url);
  await expect(page.getByText('Welcome.')).toBeVisible();

  await server.end('SIGKILL');
  await expect(
    page.getByText('The server cannot be reached. Trying again; what you typed stays here.'),
  ).toBeVisible();
  await look(page, 'server-unreachable');
  for (const width of [360, 768, 1440]) {
    await resize(page, { width, height: 300 });
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    const [strip, screen] = await page.evaluate(() =>
      ['[data-banner]', 'main > :last-child'].map((one) =>
        document.querySelector(one)?.getBoundingClientRect().toJSON(),
      ),
    );
    expect(screen.bottom, 'the strip covers nothing of the screen').toBeLessThan(strip.top + 1);
    expect(strip.bottom).toBeLessThanOrEqual(300);
  }
  // Ten seconds in all, as a restart takes at worst.
  await page.waitForTimeout(5_000);

  server = await backend.start({ PORT: String(server.port) });
  await server.open();
  await expect(page.getByText('Connected again.')).toBeVisible();
  await expect(page.getByText('Connected again.')).toBeHidden();
  await server.end();
});

test('tells an offline browser from a lost server', async ({ page, context }) => {
  await page.goto('/');
  await expect(page.getByText('Welcome.')).toBeVisible();
  await context.setOffline(true);
  await expect(page.getByText('You are offline.')).toBeVisible();
  await context.setOffline(false);
  await expect(page.getByText('Connected again.')).toBeVisible();
});

test('asks nothing any more when nobody is there', async ({ page }) => {
  await page.clock.install();
  let asked = 0;
  await page.goto('/');
  await expect(page.getByText('Welcome.')).toBeVisible();
  page.on('request', () => {
    asked += 1;
  });
  // The next question is set when an answer has come, which takes its own time.
  await expect(async () => {
    await page.clock.runFor(2_000);
    expect(asked).toBeGreaterThan(2);
  }).toPass();
  await page.clock.runFor(6 * 60_000);
  asked = 0;
  await page.clock.runFor(10 * 60_000);
  expect(asked).toBe(0);
  await page.mouse.move(10, 10);
  await expect(() => expect(asked).toBeGreaterThan(0)).toPass();
});

test.describe('a deployment under an open page', () => {
  let folder: string;
  const assets = () => join(folder, 'dist', 'client', 'assets');

  test.beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'deployment-'));
    // Without the compressed forms: what is changed here is changed once.
    await cp(join(ROOT, 'dist'), join(folder, 'dist'), {
      recursive: true,
      filter: (path) => !/\.(br|gz|zst)$/.test(path),
    });
  });
  test.afterEach(() => rm(folder, { recursive: true }));

  /** Gives every script of the built client another name, as a changed build does. */
  async function deploy() {
    const scripts = (await readdir(assets())).filter((file) => file.endsWith('.js'));
    const renamed = (text: string) =>
      scripts.reduce((all, file) => all.replaceAll(file, file.replace('.js', '_2.js')), text);
    for (const file of scripts) {
      const path = join(assets(), file);
      await writeFile(path, renamed(await readFile(path, 'utf8')));
      await rename(path, renamed(path));
    }
    const index = join(folder, 'dist', 'client', 'index.html');
    await writeFile(index, renamed(await readFile(index, 'utf8')));
  }

  /** By the palette: pointing at a link would ask for the screen before it is gone to. */
  async function goHome(page: Page) {
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search commands' }).fill('go to home');
    await page.keyboard.press('Enter');
  }

  test('is offered as a new version, and a screen that is gone loads it by itself', async ({
    page,
    backend,
  }) => {
    const main = join(folder, 'dist', 'server', 'main.js');
    let server = await backend.start({}, { main });
    await server.ready();
    // What comes late is there, too: a part that is gone would load the new version by itself.
    await page.goto(`${server.url}/no/such/screen`, { waitUntil: 'networkidle' });
    await expect(page.getByText('There is nothing at this address')).toBeVisible();

    await server.end('SIGKILL');
    await deploy();
    server = await backend.start({ PORT: String(server.port) }, { main });
    await server.ready();
    await expect(page.getByText('A new version is ready.')).toBeVisible();
    await look(page, 'new-version');

    // The home screen's file has another name now: asking for it brings the new page, once.
    let loads = 0;
    page.on('request', (request) => {
      if (request.isNavigationRequest()) loads += 1;
    });
    await goHome(page);
    await expect(page.getByText('Welcome.')).toBeVisible();
    await expect(page.getByText('A new version is ready.')).toBeHidden();
    expect(loads).toBe(1);
    await server.end();
  });

  test('that lost a file reloads the page once at most, then says what is wrong', async ({
    page,
    backend,
    findings,
  }) => {
    const home = (await readdir(assets())).find((file) => file.startsWith('home-screen'));
    await rm(join(assets(), String(home)));
    await using server = await backend.start({}, { main: join(folder, 'dist', 'server', 'main.js') });
    await server.ready();
    await page.goto(`${server.url}/no/such/screen`);
    // Until then nothing hears the keys.
    await expect(page.getByText('There is nothing at this address')).toBeVisible();
    let loads = 0;
    page.on('request', (request) => {
      if (request.isNavigationRequest()) loads += 1;
    });
    await goHome(page);
    await expect(page.getByText('A file of this screen is missing on the server.')).toBeVisible();
    expect(loads).toBe(1);
    // React says it to the console, too.
    expect(findings.console.splice(0)).toEqual([expect.stringContaining('A file of this screen is missing')]);
  });
});

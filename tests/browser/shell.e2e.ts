import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { ROOT } from '../support/server.ts';
import { expect, gate, look, resize, settle, test } from './fixtures.ts';

/** All script that the home screen loads: as this server sends it, and as a proxy may that knows gzip alone. */
const BUDGET_BYTES = { brotli: 105 * 1024, gzip: 115 * 1024 };

test.describe('for an anonymous visitor', () => {
  test.use({ storageState: { cookies: [], origins: [] } });

  test('the home screen stays within its budget of script', async ({ page }) => {
    const scripts: string[] = [];
    page.on('response', (response) => {
      if (response.request().resourceType() === 'script') scripts.push(new URL(response.url()).pathname);
    });
    await page.goto('/');
    await expect(page.getByText('Welcome.')).toBeVisible();
    const bodies = [...new Set(scripts)].map((path) => readFileSync(join(ROOT, 'dist', 'client', path)));
    const sum = (compress: (body: Buffer) => Buffer) =>
      bodies.reduce((all, body) => all + compress(body).length, 0);
    const sizes = {
      gzip: sum((body) => gzipSync(body, { level: 9 })),
      brotli: sum((body) => brotliCompressSync(body)),
    };
    test
      .info()
      .annotations.push({ type: 'script of the home screen, bytes', description: JSON.stringify(sizes) });
    expect(scripts.length).toBeGreaterThan(2);
    expect(sizes.gzip).toBeLessThan(BUDGET_BYTES.gzip);
    expect(sizes.brotli).toBeLessThan(BUDGET_BYTES.brotli);
  });
});

test('nothing of the developers’ screens is part of the build', () => {
  for (const file of readdirSync(join(ROOT, 'dist', 'client', 'assets'))) {
    expect(readFileSync(join(ROOT, 'dist', 'client', 'assets', file), 'utf8'), file).not.toContain(
      'What screens are made of',
    );
    expect(file).not.toContain('components-screen');
  }
});

test('the shell is painted without any script', async ({ browser, server }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(server.url);
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Home' })).toBeVisible();
  await context.close();
});

test('nothing moves while the page comes tag by tag', async ({ page, server }) => {
  const trickle = async ({ url = '', headers }: IncomingMessage, response: ServerResponse) => {
    const answer = await fetch(server.url + url, {
      headers: { accept: url === '/notes' ? 'text/html' : '*/*', cookie: headers.cookie ?? '' },
    });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
    if (url !== '/notes') return response.end(Buffer.from(await answer.arrayBuffer()));
    const [head = '', body = ''] = (await answer.text()).split(/(?=<body)/);
    response.write(head);
    for (const tag of body.split(/(?=<[a-z])/)) {
      response.write(tag);
      await wait(40);
    }
    return response.end();
  };
  const slow = createServer(
    (request, response) =>
      // An event stream ends with its server.
      void trickle(request, response).catch(() => response.destroy()),
  ).listen(0, '127.0.0.1');
  await once(slow, 'listening');
  try {
    for (const width of [360, 768, 1440]) {
      await resize(page, { width, height: 900 });
      // A change of size excuses what moves within half a second.
      await page.waitForTimeout(600);
      await page.goto(`http://127.0.0.1:${(slow.address() as AddressInfo).port}/notes`);
      await expect(page.getByRole('heading', { name: 'Notes', exact: true })).toBeVisible();
    }
  } finally {
    // A page whose server has gone says so to the console.
    await page.goto('about:blank');
    slow.closeAllConnections();
    slow.close();
  }
});

test.describe('while the server is still starting', () => {
  test.use({ failedRequests: true });

  test('the shell is painted within 200 ms of the first byte', async ({ page, backend }) => {
    const way = await gate(backend.databaseUrl);
    await using server = await backend.start({ DATABASE_URL: way.url });
    await server.open();
    const times: number[] = [];
    // The best of five: other work on the machine makes a paint late, nothing makes it early.
    for (let load = 0; load < 5; load += 1) {
      await page.goto(server.url);
      times.push(
        await page.evaluate(async () => {
          const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
          let paint: PerformanceEntry | undefined;
          while (paint === undefined) {
            await new Promise(requestAnimationFrame);
            [paint] = performance.getEntriesByName('first-contentful-paint');
          }
          return paint.startTime - (navigation?.responseStart ?? 0);
        }),
      );
    }
    test.info().annotations.push({
      type: 'first paint after the first byte, ms',
      description: times.map(Math.round).join(' '),
    });
    expect(Math.min(...times)).toBeLessThan(200);
  });
});

test('an address without a screen says so, with one way out', async ({ page }) => {
  await page.goto('/no/such/screen');
  await expect(page.getByRole('heading', { name: 'There is nothing at this address' })).toBeVisible();
  await expect(page).toHaveTitle(/nothing at this address/);
  await look(page, 'not-found');
  await page.getByRole('link', { name: 'Go to the home screen' }).click();
  await expect(page).toHaveURL('/');
});

test('the palette and the theme menu are worked by keyboard alone, under the strict policy', async ({
  page,
}) => {
  await page.goto('/');
  await expect(page.getByText('Welcome.')).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('main')).toBeFocused();

  await page.keyboard.press('Control+k');
  const palette = page.getByRole('dialog', { name: 'Commands' });
  await expect(palette).toBeVisible();
  await look(page, 'palette');
  await page.keyboard.type('dark');
  await page.keyboard.press('Enter');
  await expect(palette).toBeHidden();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');

  await page.getByRole('button', { name: 'Theme' }).press('Enter');
  const menu = page.getByRole('menu', { name: 'Theme' });
  const system = menu.getByRole('menuitemradio', { name: 'System' });
  await expect(system).toBeFocused();
  await look(page, 'theme-menu', { within: '[role=menu]', widths: [768, 1440] });
  await page.keyboard.press('ArrowUp');
  await expect(menu.getByRole('menuitemradio', { name: 'Dark', checked: true })).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(system).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(menu).toBeHidden();
  await expect(page.locator('html')).not.toHaveAttribute('data-theme');
  await expect(page.getByRole('button', { name: 'Theme' })).toBeFocused();
});

test('the palette hears what is typed right behind its keys, though no script comes any more', async ({
  page,
}) => {
  await page.goto('/no/such/screen');
  await expect(page.getByRole('heading', { name: 'There is nothing at this address' })).toBeVisible();
  // On a slow network: what is not loaded by now is never answered.
  await page.route('**/assets/*.js', () => {});
  await page.keyboard.press('Control+k');
  await page.keyboard.type('theme dark');
  await page.keyboard.press('Enter');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await expect(page.getByRole('dialog', { name: 'Commands' })).toBeHidden();
});

test.describe(() => {
  test.use({ failedRequests: true });

  test('a chosen theme stands before the first paint', async ({ page }) => {
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto('/');
    const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await background();
    await page.getByRole('button', { name: 'Theme' }).click();
    await page.getByRole('menuitemradio', { name: 'Dark' }).click();
    const dark = await background();
    expect(dark).not.toBe(light);
    // The client's own script is kept away: what is left has to be enough.
    await page.route('**/assets/*.js', (route) => route.abort());
    await page.reload({ waitUntil: 'commit' });
    await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
    // Nothing is painted before the style sheet has come.
    await expect.poll(background).not.toBe('rgba(0, 0, 0, 0)');
    expect(await background()).toBe(dark);
  });

  test('a dozen values re-skin everything', async ({ page }) => {
    await page.goto('/');
    await expect(page.getByText('Welcome.')).toBeVisible();
    const skin = {
      '--background': '#fdf6e3',
      '--surface': '#fffbf0',
      '--border': '#e0d5b7',
      '--text': '#3b2f1e',
      '--muted': '#6b5b43',
      '--accent': '#8a2f4a',
      '--on-accent': '#fff0f3',
      '--ready': '#3f6b21',
      '--degraded': '#8a5300',
      '--failing': '#a32626',
      '--draining': '#5a3d8a',
      '--radius': '0px',
    };
    await page.evaluate((values) => {
      for (const [name, value] of Object.entries(values))
        document.documentElement.style.setProperty(name, value);
    }, skin);
    await settle(page);
    const foreign = await page.evaluate((values) => {
      const rgb = (hex: string) =>
        `rgb(${[1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(', ')})`;
      const ours = new Set(
        Object.values(values)
          .filter((value) => value.startsWith('#'))
          .map(rgb),
      );
      const found = new Set<string>();
      for (const element of document.querySelectorAll('body *')) {
        if (!element.checkVisibility()) continue;
        const style = getComputedStyle(element);
        const used = {
          color: style.color,
          background: style.backgroundColor,
          ...(style.borderTopWidth === '0px' ? {} : { border: style.borderTopColor }),
        };
        for (const [property, value] of Object.entries(used)) {
          // What is derived, like a hover, is translucent or mixed: `color(srgb …)`.
          if (ours.has(value) || value === 'rgba(0, 0, 0, 0)' || value.startsWith('color(')) continue;
          found.add(`${property} ${value} of ${element.outerHTML.slice(0, 80)}`);
        }
      }
      return [...found];
    }, skin);
    expect(foreign).toEqual([]);
    await look(page, 'reskinned');
  });
});

test('a screen that opens takes the focus, and one that is come back to stands where it was left', async ({
  page,
}) => {
  await page.setViewportSize({ width: 1024, height: 200 });
  await page.goto('/no/such/screen');
  await page.getByRole('link', { name: 'Go to the home screen' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toBeFocused();
  await expect(page.getByText('Welcome.')).toBeVisible();
  await page.mouse.wheel(0, 40);
  await expect(() => page.evaluate(() => scrollY).then((y) => expect(y).toBe(40))).toPass();
  await page.goBack();
  await expect(page.getByText('There is nothing at this address')).toBeFocused();
  await page.goForward();
  await expect(page.getByText('Welcome.')).toBeVisible();
  await expect(() => page.evaluate(() => scrollY).then((y) => expect(y).toBe(40))).toPass();
});

test('everything is reachable at 200 % zoom', async ({ page }) => {
  // What a 1280 px window shows at 200 %.
  await page.setViewportSize({ width: 640, height: 360 });
  await page.goto('/');
  await expect(page.getByText('Welcome.')).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  await page.getByText('Welcome.').scrollIntoViewIfNeeded();
  await expect(page.getByText('Welcome.')).toBeInViewport({ ratio: 1 });
});

test('nothing moves for who asked for no motion', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.goto('/');
  await expect(page.getByText('Welcome.')).toBeVisible();
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('dialog', { name: 'Commands' })).toBeVisible();
  const longest = await page.evaluate(() =>
    Math.max(
      0,
      ...[...document.querySelectorAll('*')].flatMap((element) => {
        const { animationDuration, transitionDuration } = getComputedStyle(element);
        return [...animationDuration.split(','), ...transitionDuration.split(',')].map(Number.parseFloat);
      }),
    ),
  );
  expect(longest).toBeLessThan(0.001);
});

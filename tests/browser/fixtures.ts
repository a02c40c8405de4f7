import { mkdirSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { test as base, expect, type Page, type Request } from '@playwright/test';
import { databaseName, databaseUrl, query, startTestPostgres } from '../support/postgres.ts';
import { freePort, ROOT, type SpawnedServer, startServer } from '../support/server.ts';
import { makeVisitor, SERVER_ENV, storageOf, type Visitor } from './visitor.ts';

/** A migrated, empty database and how to start servers on it, as they are shipped: built, in production. */
export interface Backend {
  databaseUrl: string;
  /** A server on a port of its own, or on the one given. */
  start(env?: Record<string, string>, options?: { main?: string }): Promise<SpawnedServer>;
}

/** What went wrong on a page while a test used it. All of it must stay empty. */
interface Findings {
  console: string[];
  policy: string[];
  shifts: string[];
}

type Fixtures = {
  /** The address of the worker's server. */
  baseURL: string;
  /** True where a test makes requests fail on purpose: the browser then writes each of them to its console. */
  failedRequests: boolean;
  findings: Findings;
};

export const test = base.extend<Fixtures, { backend: Backend; server: SpawnedServer; visitor: Visitor }>({
  backend: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixtures from the pattern
    async ({}, use) => {
      const postgres = await startTestPostgres();
      const name = databaseName();
      await query(postgres.url, `CREATE DATABASE ${name}`);
      const url = databaseUrl(postgres.url, name);
      await use({
        databaseUrl: url,
        start: (env, options) => startServer({ ...SERVER_ENV, DATABASE_URL: url, ...env }, options),
      });
      await query(postgres.url, `DROP DATABASE ${name} WITH (FORCE)`);
      await postgres.release();
    },
    { scope: 'worker' },
  ],
  server: [
    async ({ backend }, use) => {
      await using server = await backend.start();
      await server.ready();
      await use(server);
    },
    { scope: 'worker' },
  ],
  visitor: [
    async ({ server: _, backend }, use) => use(await makeVisitor(backend.databaseUrl)),
    { scope: 'worker' },
  ],
  storageState: ({ visitor }, use) => use(storageOf(visitor)),
  baseURL: ({ server }, use) => use(server.url),
  failedRequests: [false, { option: true }],
  findings: [
    async ({ context, failedRequests }, use) => {
      const findings: Findings = { console: [], policy: [], shifts: [] };
      await context.exposeFunction('reportFinding', (kind: 'policy' | 'shifts', text: string) => {
        findings[kind].push(text);
      });
      await context.addInitScript(() => {
        const report = (kind: string, text: string) =>
          (window as unknown as { reportFinding(kind: string, text: string): void }).reportFinding(
            kind,
            text,
          );
        addEventListener('securitypolicyviolation', (event) =>
          report('policy', `${event.violatedDirective} ${event.blockedURI}`),
        );
        // A new window size moves everything, and a key or a press, or what it asks the server for, may move something.
        // Chromium ignores that for 500 ms, which a busy machine exceeds. A test may set the page's clock, but not this one.
        const now = performance.now.bind(performance);
        const excuses: { from: number; to: number }[] = [];
        const excuse = (ms: number) => {
          const one = { from: now(), to: now() + ms };
          excuses.push(one);
          return one;
        };
        addEventListener('resizing', () => {
          const resize = excuse(Number.POSITIVE_INFINITY);
          addEventListener('resized', () => Object.assign(resize, { to: now() }), { once: true });
        });
        let actedAt = Number.NEGATIVE_INFINITY;
        const act = () => {
          actedAt = now();
          excuse(2_000);
        };
        // A frame may be allowed no script, which each press would then report.
        if (self === top)
          for (const type of ['keydown', 'pointerdown']) addEventListener(type, act, { capture: true });
        const { fetch } = window;
        window.fetch = async (...request) => {
          const isAsked = now() - actedAt < 500;
          try {
            return await fetch(...request);
          } finally {
            if (isAsked) excuse(2_000);
          }
        };
        new PerformanceObserver((list) => {
          type Shift = PerformanceEntry & {
            value: number;
            hadRecentInput: boolean;
            sources: { node?: Node; previousRect: DOMRectReadOnly; currentRect: DOMRectReadOnly }[];
          };
          for (const shift of list.getEntries() as Shift[]) {
            const box = ({ x, y, width, height }: DOMRectReadOnly) => `${width}x${height} at ${x},${y}`;
            const moved = shift.sources.map(
              ({ node, previousRect, currentRect }) =>
                `${box(previousRect)} to ${box(currentRect)}: ${(node as Element | undefined)?.outerHTML?.slice(0, 200) ?? node?.nodeName}`,
            );
            const isExcused = excuses.some(
              ({ from, to }) => shift.startTime >= from && shift.startTime <= to,
            );
            if (!shift.hadRecentInput && !isExcused)
              report('shifts', `${shift.value.toFixed(4)} at ${location.pathname}: ${moved.join(' | ')}`);
          }
        }).observe({ type: 'layout-shift', buffered: true });
      });
      context.on('console', (message) => {
        if (!['error', 'warning'].includes(message.type())) return;
        if (failedRequests && message.text().startsWith('Failed to load resource')) return;
        findings.console.push(message.text());
      });
      context.on('weberror', (error) => findings.console.push(String(error.error().stack)));
      await use(findings);
      expect(findings, 'what the console, the policy and the layout had to say').toEqual({
        console: [],
        policy: [],
        shifts: [],
      });
    },
    { auto: true },
  ],
});

export { expect };

const SIZES = [
  { width: 360, height: 740 },
  { width: 768, height: 1024 },
  { width: 1440, height: 900 },
];

/**
 * Looks at a screen as it stands: at 360, 768 and 1440 px, light and dark. Each time a picture goes to `screenshots/`,
 * axe must find nothing, and nothing may reach beyond the window. Ends at the size it began with.
 *
 * @param options.within What axe looks at, as a selector; the whole page where it is not given.
 * @param options.widths Those of the three sizes that are meant.
 */
export async function look(
  page: Page,
  name: string,
  { within, widths = [360, 768, 1440] }: { within?: string; widths?: number[] } = {},
) {
  const before = page.viewportSize();
  const folder = join(ROOT, 'screenshots');
  mkdirSync(folder, { recursive: true });
  for (const size of SIZES.filter(({ width }) => widths.includes(width))) {
    await resize(page, size);
    await adoptFonts(page);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const at = `${name} at ${size.width} px, ${colorScheme}`;
      await settle(page);
      await page.screenshot({ path: join(folder, `${name}-${size.width}-${colorScheme}.png`) });
      // Only frames need a second page to put results together, which takes ten times as long; and axe once read stays.
      const alone = page.frames().length === 1;
      const axeSource = alone && (await page.evaluate(() => 'axe' in window)) ? ';' : undefined;
      const axe = new AxeBuilder({ page, axeSource }).options({ resultTypes: ['violations'] });
      axe.setLegacyMode(alone);
      // A message that fades in or out meanwhile has too little contrast. On the kit's page messages stay.
      if (within === undefined) axe.exclude('[aria-label=Messages]');
      else axe.include(within);
      const { violations } = await axe.analyze();
      const said = violations.map(
        ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' | ')}`,
      );
      expect(said, `axe on ${at}`).toEqual([]);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflow, `pixels beyond the window in ${at}`).toBeLessThanOrEqual(0);
    }
  }
  await page.emulateMedia({ colorScheme: null });
  if (before) await resize(page, before);
}

/** Changes the size of the window of a page that is open; what that moves is no layout shift. */
export const resize = (page: Page, size: { width: number; height: number }) =>
  ignoreShifts(page, () => page.setViewportSize(size));

/**
 * A font that loads late (`font-display: optional`) is first used when a media query changes. That happens here, before the
 * first picture is taken.
 */
const adoptFonts = (page: Page) =>
  ignoreShifts(page, async () => {
    await page.evaluate(async () => void (await document.fonts.ready));
    await page.emulateMedia({ colorScheme: 'dark' });
    await settle(page);
    await page.emulateMedia({ colorScheme: 'light' });
  });

/** Makes a change of the window; what it moves is no layout shift. */
async function ignoreShifts(page: Page, change: () => Promise<void>) {
  await page.evaluate(() => dispatchEvent(new Event('resizing')));
  await change();
  await settle(page);
  await page.evaluate(() => dispatchEvent(new Event('resized')));
}

/** No event arrives: the page learns of changes by its own requests alone. */
export const withoutEvents = (page: Page) => page.route('**/api/events*', () => {});

/** Resolves when a page has read a list once more, as it does as soon as events arrive. Called before the page opens. */
export async function readAgain(page: Page, path: string) {
  let lists = 0;
  const isAgain = (request: Request) => new URL(request.url()).pathname === path && ++lists === 2;
  await (await page.waitForRequest(isAgain)).response();
}

/** Waits until finite animations have ended: colours in between have contrasts of their own. */
export const settle = (page: Page) =>
  page.evaluate(async () => {
    await new Promise(requestAnimationFrame);
    const finite = document
      .getAnimations()
      .filter((one) => one.effect?.getComputedTiming().iterations !== Number.POSITIVE_INFINITY);
    await Promise.allSettled(finite.map(({ finished }) => finished));
  });

/** A way to a database that can be closed and opened: what is behind it then is away, and comes back. */
export async function gate(target: string) {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const ownPort = await freePort();
  let listener: Server | undefined;
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String(ownPort);
  return {
    url: url.href,
    open: () =>
      new Promise<void>((resolve) => {
        listener = createServer((near) => {
          const far = connect(Number(port), hostname);
          for (const [from, to] of [
            [near, far],
            [far, near],
          ] as const) {
            sockets.add(from);
            from.on('error', () => to.destroy());
            from.on('close', () => to.destroy());
            from.pipe(to);
          }
        }).listen(ownPort, '127.0.0.1', resolve);
      }),
    close: () => {
      listener?.close();
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
  };
}

import { expect, look, test } from '../../../../tests/browser/fixtures.ts';
import { wire } from '../../../../tests/browser/operations-wire.ts';
import { SECRETS, signIn } from '../../../../tests/browser/operators.ts';

/** Updates whose median is taken. */
const UPDATES = 10;

test('an hour of data is drawn and kept current on a slow machine', async ({
  page,
  backend,
  browserName,
}) => {
  test.skip(browserName !== 'chromium', 'only Chromium can be slowed down');
  await using server = await backend.start(SECRETS);
  await server.ready();
  await signIn(page, `${server.url}/ops/errors?window=1h`);
  await wire(page);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  // Time of the thread on a processor: what else the machine does is not counted.
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const busyMs = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    const of = (wanted: string) => metrics.find(({ name }) => name === wanted)?.value ?? 0;
    // Reading the metrics is a task, too.
    return 1_000 * (of('TaskDuration') - of('DevToolsCommandDuration'));
  };

  const opened = page.evaluate(async () => {
    const { say, sayHour } = window as unknown as { say(name: string, data: unknown): void; sayHour(): void };
    say('hello', { instance: 'web-1f3a9c', heartbeatMs: 15_000 });
    sayHour();
    const begun = await new Promise<number>((resolve) =>
      addEventListener('click', () => resolve(performance.now()), { capture: true, once: true }),
    );
    const drawn = () =>
      [...document.querySelectorAll('figure path')].filter(
        (path) => (path.getAttribute('d') ?? '').length > 999,
      );
    while (drawn().length < 8) await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    return performance.now() - begun;
  });
  await page.getByRole('link', { name: 'Overview' }).click();
  const openedMs = await opened;

  let at = Date.now();
  const results: string[] = [`${Math.round(openedMs)} to open`];
  // A chart of the one screen that the other has not. It is drawn together with the others.
  for (const [screen, chart] of [
    ['Overview', 'Requests'],
    ['Resources', 'Garbage collection'],
  ] as const) {
    await page.getByRole('link', { name: screen, exact: true }).click();
    await expect(page.getByRole('slider', { name: `${chart}, moment shown` })).toBeVisible();
    await page.evaluate(() => {
      const changes = { drawn: 0, made: 0 };
      const observer = new MutationObserver((records) => {
        for (const { target, type, addedNodes } of records) {
          if (type === 'attributes' && target.nodeName === 'path') changes.drawn += 1;
          for (const { nodeName } of addedNodes) changes.made += nodeName === 'path' ? 1 : 0;
        }
      });
      observer.observe(document.body, {
        attributes: true,
        attributeFilter: ['d'],
        childList: true,
        subtree: true,
      });
      Object.assign(window, { changes });
    });
    const taken: number[] = [];
    for (let update = 1; update <= UPDATES; update += 1) {
      // Later than every time so far: an earlier one would reset the history.
      at += 5_000;
      const before = await busyMs();
      await page.evaluate(async (at) => {
        const { say, changes } = window as unknown as {
          say(name: string, data: unknown): void;
          changes: { drawn: number };
        };
        const before = changes.drawn;
        const step = (value: number) => [value * (1 + Math.random())];
        say('history', {
          ...{ instance: 'web-1f3a9c', window: '1h', stepMs: 5_000, times: [at] },
          ...{ requestsPerSecond: step(40), errorsPerSecond: [0], p50Ms: step(1), p95Ms: step(5) },
          ...{ p99Ms: step(12), inFlight: step(2), eventLoopDelayMs: step(10), cpu: step(0.3) },
          ...{ eventLoopUtilization: step(0.2), rss: step(180_000_000), heapUsed: step(40_000_000) },
          ...{ gcMsPerSecond: step(3), poolInUse: step(3), poolWaiting: [0], queryP95Ms: step(2) },
          refusedPerSecond: [0],
        });
        // Drawn, and the rest of what an update does.
        while (changes.drawn < before + 8) await new Promise(requestAnimationFrame);
        await new Promise((resolve) => setTimeout(resolve, 250));
      }, at);
      taken.push((await busyMs()) - before);
    }
    const changes = await page.evaluate(
      () => (window as unknown as { changes: { drawn: number; made: number } }).changes,
    );
    const median = taken.toSorted((a, b) => a - b)[UPDATES / 2] ?? 0;
    results.push(`${median.toFixed(1)} of main thread for an update of ${screen}`);
    // An update draws each line again, and makes nothing new: that is what keeps it cheap.
    expect(changes.drawn).toBeGreaterThanOrEqual(8 * UPDATES);
    expect(changes.made).toBe(0);
    // And it was an hour to the end.
    const long = page
      .locator('figure path')
      .evaluateAll((paths) => paths.filter((path) => (path.getAttribute('d') ?? '').length > 999).length);
    expect(await long).toBeGreaterThanOrEqual(8);
  }
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 1 });
  const description = results.join(', ');
  test.info().annotations.push({ type: 'an hour on a processor 4 times as slow, ms', description });
  console.log(description);
  await look(page, 'operations-hour');
});

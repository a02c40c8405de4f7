import { expect, look, test } from '../../../../tests/browser/fixtures.ts';
import { SECRETS, signIn } from '../../../../tests/browser/operators.ts';

/** What an hour in this process looks like over the wire: rush and quiet, a gap, and some errors. */
function anHour(end: number) {
  const times = Array.from({ length: 720 }, (_, step) => end - (719 - step) * 5_000);
  const wave = (height: number, base = 0) =>
    times.map((_, step) =>
      step > 300 && step < 340
        ? null
        : base + height * (1.2 + Math.sin(step / 40) + Math.sin(step * 1.7) / 5),
    );
  return {
    instance: 'web-1f3a9c',
    window: '1h',
    stepMs: 5_000,
    times,
    requestsPerSecond: wave(40),
    errorsPerSecond: times.map((_, step) => (step > 500 && step < 520 ? 0.6 : 0)),
    p50Ms: wave(1, 1),
    p95Ms: wave(5, 4),
    p99Ms: wave(12, 15),
    inFlight: wave(2),
    eventLoopDelayMs: wave(4, 10),
    eventLoopUtilization: wave(0.2),
    cpu: wave(0.3),
    rss: wave(5_000_000, 180_000_000),
    heapUsed: wave(20_000_000, 40_000_000),
    gcMsPerSecond: wave(3),
    poolInUse: wave(3),
    poolWaiting: times.map(() => 0),
    queryP95Ms: wave(2, 1),
    refusedPerSecond: times.map(() => 0),
  };
}

test('an hour of data is drawn and kept current on a slow machine', async ({
  page,
  backend,
  browserName,
}) => {
  test.skip(browserName !== 'chromium', 'only Chromium can be slowed down');
  await using server = await backend.start(SECRETS);
  await server.ready();
  await signIn(page, `${server.url}/ops/settings?window=1h`);
  // Nobody waits for an hour: the wire says what an hour would have said. Everything behind it is as it is.
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.evaluate((hour) => {
    const hear: Record<string, (event: { data: string }) => void> = {};
    class Wire {
      addEventListener(name: string, listener: (event: { data: string }) => void) {
        hear[name] = listener;
      }
      close() {}
    }
    const say = (name: string, data: unknown) => hear[name]?.({ data: JSON.stringify(data) });
    const sayHour = () => say('history', hour);
    Object.assign(window, { EventSource: Wire, say, sayHour });
  }, anHour(Date.now()));
  await page.getByRole('button', { name: 'Resume' }).click();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  await devtools.send('Performance.enable');
  const busyMs = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    return 1_000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0);
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

  const updates = 10;
  const before = await busyMs();
  const changes = await page.evaluate(async (updates) => {
    const changes = { drawn: 0, made: 0 };
    const count = (records: MutationRecord[]) => {
      for (const { target, type, addedNodes } of records) {
        if (type === 'attributes' && target.nodeName === 'path') changes.drawn += 1;
        if (type === 'childList')
          for (const { nodeName } of addedNodes) changes.made += nodeName === 'path' ? 1 : 0;
      }
    };
    const observer = new MutationObserver(count);
    observer.observe(document.body, {
      attributes: true,
      attributeFilter: ['d'],
      childList: true,
      subtree: true,
    });
    const { say } = window as unknown as { say(name: string, data: unknown): void };
    for (let update = 1; update <= updates; update += 1) {
      const step = (value: number) => [value * (1 + Math.random())];
      say('history', {
        ...{ instance: 'web-1f3a9c', window: '1h', stepMs: 5_000, times: [Date.now() + update * 5_000] },
        ...{
          requestsPerSecond: step(40),
          errorsPerSecond: [0],
          p50Ms: step(1),
          p95Ms: step(5),
          p99Ms: step(12),
        },
        ...{ inFlight: step(2), eventLoopDelayMs: step(10), eventLoopUtilization: step(0.2), cpu: step(0.3) },
        ...{ rss: step(180_000_000), heapUsed: step(40_000_000), gcMsPerSecond: step(3), poolInUse: step(3) },
        ...{ poolWaiting: [0], queryP95Ms: step(2), refusedPerSecond: [0] },
      });
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    count(observer.takeRecords());
    observer.disconnect();
    return changes;
  }, updates);
  const updated = ((await busyMs()) - before) / updates;
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 1 });
  const description = `${Math.round(openedMs)} to open, ${Math.round(updated)} of main thread for an update`;
  test.info().annotations.push({ type: 'an hour on a processor 4 times as slow, ms', description });
  console.log(description);
  await look(page, 'operations-hour');
  // An update draws each line again, and makes nothing new: that is what keeps it cheap.
  expect(changes.drawn).toBeGreaterThanOrEqual(8 * updates);
  expect(changes.made).toBe(0);
});

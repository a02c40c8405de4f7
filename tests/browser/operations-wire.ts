import type { Page } from '@playwright/test';
import type { Alert } from '#contracts/operations/alerts.ts';
import type { StreamEvents } from '#contracts/operations/stream.ts';
import { RULES } from '../../server/modules/operations/alert-rules.ts';

const INSTANCE = 'web-1f3a9c';

/** An hour of history: rush and quiet, a gap, and some errors. @param end Milliseconds since 1970. */
export function anHour(end: number) {
  const times = Array.from({ length: 720 }, (_, step) => end - (719 - step) * 5_000);
  const wave = (height: number, base = 0) =>
    times.map((_, step) =>
      step > 300 && step < 340
        ? null
        : base + height * (1.2 + Math.sin(step / 40) + Math.sin(step * 1.7) / 5),
    );
  return {
    instance: INSTANCE,
    window: '1h' as const,
    stepMs: 5_000,
    times,
    requestsPerSecond: wave(40),
    errorsPerSecond: times.map((_, step) => (step > 500 && step < 520 ? 0.6 : 0)),
    p50Ms: wave(1, 1),
    p95Ms: wave(5, 4),
    p99Ms: wave(12, 15),
    inFlight: wave(2).map((value) => value && Math.round(value)),
    eventLoopDelayMs: wave(4, 10),
    eventLoopUtilization: wave(0.2),
    cpu: wave(0.3),
    rss: wave(5_000_000, 180_000_000),
    heapUsed: wave(20_000_000, 40_000_000),
    gcMsPerSecond: wave(3),
    poolInUse: wave(3).map((value) => value && Math.round(value)),
    poolWaiting: times.map(() => 0),
    queryP95Ms: wave(2, 1),
    refusedPerSecond: times.map(() => 0),
  };
}

/** Figures of a ready process under load. @param at Milliseconds since 1970. */
export const figures = (at: number): StreamEvents['figures'] => ({
  instance: INSTANCE,
  state: 'ready',
  ready: true,
  since: new Date(at - 273_600_000).toISOString(),
  at: new Date(at).toISOString(),
  ...{ requestsPerSecond: 42.1, errorRatio: 0.0002, p50Ms: 1.2, p90Ms: 8, p95Ms: 12.4, p99Ms: 31 },
  ...{ inFlight: 3, connections: 42, cpu: 0.42, cores: 2, gcMsPerSecond: 3.2, queryP95Ms: 2.1 },
  eventLoop: { utilization: 0.31, delayP99Ms: 131 },
  memory: { rss: 191e6, heapUsed: 62e6, heapLimit: 1.2e9, external: 8e6, limit: 536_870_912 },
  pool: { size: 20, open: 8, idle: 5, waiting: 0, acquireP95Ms: 0.18 },
  refused: { rateLimited: 12, shed: 0 },
});

/** Every rule, of which these fire. @param at Milliseconds since 1970. */
export const alerts = (at: number, ...firing: string[]): Alert[] =>
  RULES.map(({ name, summary, severity, threshold, unit, forSeconds }) => ({
    ...{ name, summary, severity, threshold, unit, forSeconds, runbook: `#${name}` },
    ...(firing.includes(name)
      ? { state: 'firing' as const, since: new Date(at - 130_000).toISOString(), value: threshold + 1 }
      : { state: 'ok' as const, since: null, value: 0 }),
  }));

/** Errors as they are shown: of the log, and of the database. @param at Milliseconds since 1970. */
export const errors = (at: number): StreamEvents['errors']['errors'] => {
  const seen = { firstSeen: new Date(at - 600_000).toISOString(), lastSeen: new Date(at).toISOString() };
  return [
    {
      ...{ fingerprint: 'a', type: 'DatabaseUnavailableError', count: 1_204, status: 503, ...seen },
      ...{
        route: 'GET /api/notes',
        requestId: '0199a4c2-7d1e',
        message: 'connect ECONNREFUSED 10.0.0.7:5432',
      },
    },
    {
      ...{ fingerprint: 'b', type: 'TypeError', count: 1, route: 'POST /api/notes', ...seen },
      ...{ requestId: '0199a4c2-7d1f', message: "Cannot read properties of undefined (reading 'title')" },
    },
    { ...{ fingerprint: 'c', type: 'Error', count: 12, ...seen }, message: 'LOG_FILE cannot be written' },
  ];
};

/** Log lines from `first` on. @param at Milliseconds since 1970. */
export const lines = (at: number, first: number, count: number): StreamEvents['log']['lines'] =>
  Array.from({ length: count }, (_, index) => {
    const [seq, requestId, time] = [
      first + index,
      `0199a4c2-7d1e-${first + index}`,
      new Date(at).toISOString(),
    ];
    const request = { method: 'GET', path: `/api/notes/${seq}`, route: '/api/notes/:id', durationMs: 1.2 };
    const status = seq % 9 === 0 ? 503 : seq % 5 === 0 ? 404 : 200;
    if (seq % 11 !== 0)
      return { seq, time, level: 'info', message: 'request', requestId, fields: { ...request, status } };
    const err = { type: 'TypeError', message: "Cannot read properties of undefined (reading 'title')" };
    return { seq, time, level: 'error', message: 'request failed', requestId, fields: { err } };
  });

export type Say = <Name extends keyof StreamEvents>(name: Name, data: StreamEvents[Name]) => Promise<void>;

/**
 * Takes the place of the event stream of an operations screen that is open.
 *
 * @returns A function that sends an event. In the page, `say` does so, too, and `sayHour` sends the history of `anHour`.
 */
export async function wire(page: Page): Promise<Say> {
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.evaluate((hour) => {
    const hear: Record<string, (event: { data: string }) => void> = {};
    const isOpen = Promise.withResolvers<void>();
    class Wire {
      constructor() {
        isOpen.resolve();
      }
      addEventListener(name: string, listener: (event: { data: string }) => void) {
        hear[name] = listener;
      }
      close() {}
    }
    const say = (name: string, data: unknown) => hear[name]?.({ data: JSON.stringify(data) });
    Object.assign(window, { EventSource: Wire, isOpen, say, sayHour: () => say('history', hour) });
  }, anHour(Date.now()));
  await page.getByRole('button', { name: 'Resume' }).click();
  // The screen opens it once the address has changed.
  await page.evaluate(() => (window as unknown as { isOpen: { promise: Promise<void> } }).isOpen.promise);
  return (name, data) =>
    page.evaluate(
      ([name, data]) =>
        (window as unknown as { say(name: string, data: unknown): void }).say(name as string, data),
      [name, data] as const,
    );
}

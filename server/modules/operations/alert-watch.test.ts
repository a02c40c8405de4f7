import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ProcessFigures } from '#contracts/operations/process.ts';
import { HealthChecks } from '../../platform/health/health-checks.ts';
import { alertMetrics, watchAlerts } from './alert-watch.ts';
import { Alerts } from './alerts.ts';
import type { ProcessSample } from './traffic/process-samples.ts';
import type { WindowTotals } from './traffic/traffic.ts';

const figures: ProcessFigures = {
  at: '',
  requestsPerSecond: 40,
  errorRatio: 0,
  p50Ms: 1,
  p90Ms: 2,
  p95Ms: 3,
  p99Ms: 4,
  inFlight: 1,
  connections: 1,
  eventLoop: { utilization: 0.2, delayP99Ms: 2 },
  cpu: 0.2,
  cores: 2,
  memory: { rss: 100, heapUsed: 30, heapLimit: 100, external: 0, limit: 1_000 },
  gcMsPerSecond: 0,
  pool: { size: 20, open: 2, idle: 2, waiting: 0, acquireP95Ms: null },
  queryP95Ms: null,
  refused: { rateLimited: 0, shed: 0 },
};
const totals: WindowTotals = {
  seconds: 300,
  requests: 12_000,
  errors: 0,
  p50Ms: 1,
  p90Ms: 2,
  p95Ms: 3,
  p99Ms: 4,
};

let now: ProcessFigures;
let sampled: ProcessSample;
let five: WindowTotals;
let failures: number;
let asked: number;
let tick: (at: number) => void;
let checks: HealthChecks;
let failing: boolean;
let alerts: Alerts;
let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) });
  now = structuredClone(figures);
  five = { ...totals };
  sampled = { eventLoopUtilization: 0.2, eventLoopDelayMs: 2, cpu: 0.2, gcMsPerSecond: 0 };
  failures = 0;
  asked = 0;
  failing = false;
  checks = new HealthChecks();
  checks.register({
    name: 'database',
    required: true,
    timeoutMs: 1_000,
    run() {
      asked++;
      if (failing) throw new Error('away');
      return undefined;
    },
  });
  const log = { info() {}, warn() {}, error() {} };
  alerts = new Alerts(log as never, { refresh: async () => {}, until: () => undefined });
  stop = watchAlerts(alerts, {
    traffic: {
      samples: {
        get latest() {
          return sampled;
        },
      },
      figures: () => now,
      totals: () => five,
      onTick: (listener) => {
        tick = listener;
        return () => {
          tick = () => {};
        };
      },
    },
    checks,
    lifecycle: { state: 'ready' },
    databaseFailures: () => failures,
    folder: tmpdir(),
  });
});
afterEach(() => {
  stop();
  vi.useRealTimers();
});

/** So many seconds of ticks, one every two. */
function pass(seconds: number, each: () => void = () => {}): void {
  for (let passed = 0; passed < seconds; passed += 2) {
    vi.setSystemTime(Date.now() + 2_000);
    each();
    tick(Date.now());
  }
}

const stateOf = (name: string) => alerts.list().find((alert) => alert.name === name);

it('asks nobody whether the server is ready', () => {
  pass(600);
  expect(asked).toBe(0);
  expect(stateOf('not-ready')).toMatchObject({ state: 'ok', value: null });
});

it('knows of readiness what probes have found, as long as they ask', async () => {
  failing = true;
  for (let round = 0; round < 25; round++) {
    await checks.read({ requiredOnly: true });
    pass(2);
  }
  expect(stateOf('not-ready')).toMatchObject({ state: 'firing', value: 1 });
  // Nobody asks any more, and nobody knows.
  pass(130);
  expect(stateOf('not-ready')).toMatchObject({ state: 'resolved', value: null });
});

it('judges requests by five minutes', () => {
  Object.assign(five, { errors: 1_200, p95Ms: 2_500 });
  pass(130);
  expect(stateOf('high-error-rate')).toMatchObject({ state: 'firing', value: 10 });
  expect(stateOf('slow-responses')).toMatchObject({ state: 'firing', value: 2_500 });
});

it('takes the mean of a minute for what is sampled', () => {
  let round = 0;
  pass(700, () => {
    sampled.cpu = round++ % 6 === 0 ? 1.2 : 0.1;
  });
  expect(stateOf('high-cpu')?.state).toBe('ok');
  pass(600, () => {
    sampled.cpu = round++ % 6 === 0 ? 0.1 : 1.2;
  });
  expect(stateOf('high-cpu')?.state).toBe('firing');
});

it('counts what the database failed in a minute, also right after a pause', () => {
  pass(120);
  failures = 2;
  pass(10);
  expect(stateOf('database-failures')?.value).toBe(2);
  pass(80);
  expect(stateOf('database-failures')?.value).toBe(0);
  vi.setSystemTime(Date.now() + 3_600_000);
  failures = 12;
  pass(2);
  expect(stateOf('database-failures')).toMatchObject({ state: 'pending', value: 10 });
});

it('takes the heap for the memory, or the container, whichever is nearer to its end', () => {
  now.memory = { ...now.memory, heapUsed: 95 };
  pass(10);
  expect(stateOf('high-memory')?.value).toBe(95);
  now.memory = { ...now.memory, heapUsed: 10, rss: 900 };
  pass(10);
  expect(stateOf('high-memory')?.value).toBe(90);
});

it('reads the disk', async () => {
  pass(2);
  await vi.waitFor(
    () => {
      pass(6);
      expect(stateOf('low-disk')?.value).toBeGreaterThan(0);
    },
    { timeout: 60_000, interval: 20 },
  );
});

it('is scraped: one state for each alert, and what the rules of Prometheus need', async () => {
  pass(10, () => {
    now.pool.waiting = 3;
  });
  const families = alertMetrics(alerts, { traffic: { figures: () => now } as never, folder: tmpdir() });
  const samples = Object.fromEntries(
    await Promise.all(families.map(async ({ name, read }) => [name, Array.from(await read())] as const)),
  );
  const states = samples.app_alert_state?.filter(({ value }) => value === 1) ?? [];
  expect(states).toHaveLength(alerts.list().length);
  expect(states.map(({ labels }) => labels)).toContainEqual({
    alert: 'pool-waiting',
    severity: 'warning',
    state: 'pending',
  });
  expect(samples.app_memory_used_ratio).toEqual([{ value: 0.3 }]);
  expect(samples.app_disk_free_ratio?.[0]?.value).toBeGreaterThan(0);
});

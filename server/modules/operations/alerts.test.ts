import { beforeEach, describe, expect, it } from 'vitest';
import { MIN_REQUESTS, type Observation, RULES } from './alert-rules.ts';
import { Alerts, type Silenced } from './alerts.ts';

/** A server that is well and has something to do. */
const WELL: Observation = {
  requests: 10_000,
  errors: 3,
  p95Ms: 40,
  p99Ms: 90,
  cpu: 0.3,
  cores: 2,
  memoryUsed: 0.4,
  diskFree: 0.6,
  eventLoopDelayMs: 4,
  databaseFailures: 0,
  poolWaiting: 0,
  failingChecks: 0,
};

/** For each rule: what is just not enough, what is too much, and what is between the threshold and its end. */
const SERIES: Record<
  string,
  { enough: Partial<Observation>; fault: Partial<Observation>; between?: Partial<Observation> }
> = {
  'not-ready': { enough: { failingChecks: null }, fault: { failingChecks: 1 } },
  'database-failures': {
    enough: { databaseFailures: 3 },
    fault: { databaseFailures: 4 },
    between: { databaseFailures: 1 },
  },
  'high-error-rate': { enough: { errors: 500 }, fault: { errors: 501 }, between: { errors: 450 } },
  'slow-responses': { enough: { p95Ms: 2_000 }, fault: { p95Ms: 2_001 }, between: { p95Ms: 1_900 } },
  'very-slow-responses': { enough: { p99Ms: 5_000 }, fault: { p99Ms: 5_001 }, between: { p99Ms: 4_600 } },
  'pool-waiting': { enough: { poolWaiting: 0 }, fault: { poolWaiting: 1 } },
  'event-loop-delay': {
    enough: { eventLoopDelayMs: 100 },
    fault: { eventLoopDelayMs: 101 },
    between: { eventLoopDelayMs: 90 },
  },
  'high-cpu': { enough: { cpu: 0.8 }, fault: { cpu: 0.81 }, between: { cpu: 0.75 } },
  'high-memory': { enough: { memoryUsed: 0.85 }, fault: { memoryUsed: 0.86 }, between: { memoryUsed: 0.82 } },
  'low-disk': { enough: { diskFree: 0.2 }, fault: { diskFree: 0.19 }, between: { diskFree: 0.21 } },
};

let lines: { level: string; fields: Record<string, unknown>; text: string }[];
let silencedUntil: number | undefined;
let refreshed: number;
let alerts: Alerts;
let now: number;

const silenced: Silenced = {
  async refresh() {
    refreshed++;
  },
  until: () => silencedUntil,
};

beforeEach(() => {
  lines = [];
  silencedUntil = undefined;
  refreshed = 0;
  now = Date.UTC(2026, 0, 1);
  const write = (level: string) => (fields: object, text: string) =>
    void lines.push({ level, fields: fields as Record<string, unknown>, text });
  alerts = new Alerts({ info: write('info'), warn: write('warn'), error: write('error') } as never, silenced);
});

/** So many seconds, with a look every five. */
function pass(seconds: number, what: Partial<Observation> = {}): void {
  for (const end = now + seconds * 1_000; now < end; ) {
    now += 5_000;
    alerts.look(now, { ...WELL, ...what });
  }
}

/** Another rule may look at the same figure. */
const linesOf = (name: string) => lines.filter(({ fields }) => fields.alert === name);
const stateOf = (name: string) => alerts.list(now).find((alert) => alert.name === name)?.state;

it('knows a series for each rule', () => {
  expect(Object.keys(SERIES).sort()).toEqual(RULES.map(({ name }) => name).sort());
});

describe.each(RULES)('$name', ({ name, forSeconds, severity, threshold }) => {
  const { enough, fault, between } = SERIES[name] as (typeof SERIES)[string];

  it('says nothing of what is just allowed', () => {
    pass(forSeconds + 600, enough);
    expect(stateOf(name)).toBe('ok');
  });

  it('is pending, fires when it has lasted, and resolves when calm has', async () => {
    pass(60);
    pass(forSeconds, fault);
    expect(stateOf(name)).toBe('pending');
    pass(5, fault);
    expect(stateOf(name)).toBe('firing');
    pass(30);
    expect(stateOf(name)).toBe('firing');
    pass(5);
    expect(stateOf(name)).toBe('resolved');
    pass(15 * 60);
    expect(stateOf(name)).toBe('ok');
    await Promise.resolve();
    expect(linesOf(name).map(({ level, fields }) => [level, fields.state])).toEqual([
      [severity === 'critical' ? 'error' : 'warn', 'firing'],
      ['info', 'resolved'],
    ]);
    expect(linesOf(name)[0]?.fields).toMatchObject({ threshold });
  });

  it('lets no alert fire that looks at something else', () => {
    pass(forSeconds + 10, fault);
    const same = RULES.filter(({ value }) => value(WELL) !== value({ ...WELL, ...fault }));
    for (const { name: fired, state } of alerts.list(now)) {
      if (state !== 'ok') expect(same.map((rule) => rule.name)).toContain(fired);
    }
    expect(stateOf(name)).toBe('firing');
  });

  it.runIf(between)('does not flicker around its threshold', async () => {
    pass(forSeconds + 10, fault);
    for (let round = 0; round < 20; round++) {
      pass(40, between);
      pass(10, fault);
    }
    expect(stateOf(name)).toBe('firing');
    await Promise.resolve();
    expect(linesOf(name)).toHaveLength(1);
  });
});

it('forgets what did not last', () => {
  pass(55, { errors: 5_000 });
  pass(5);
  pass(55, { errors: 5_000 });
  expect(stateOf('high-error-rate')).toBe('pending');
  expect(lines).toEqual([]);
});

it('judges no share of a handful of requests', () => {
  pass(600, { requests: MIN_REQUESTS - 1, errors: 40, p95Ms: 9_000, p99Ms: 9_000 });
  expect(alerts.list(now).every(({ state }) => state === 'ok')).toBe(true);
  expect(alerts.list(now).find(({ name }) => name === 'high-error-rate')?.value).toBeNull();
});

it('says nothing of requests where there were none', () => {
  pass(600, { requests: 0, errors: 0, p95Ms: null, p99Ms: null });
  expect(alerts.list(now).every(({ state }) => state === 'ok')).toBe(true);
});

it('measures the processor against less than a core where that is all there is', () => {
  pass(400, { cpu: 0.45, cores: 0.5 });
  expect(stateOf('high-cpu')).toBe('firing');
});

describe('a gap in which nobody looked', () => {
  it('fires nothing', () => {
    pass(20, { errors: 5_000 });
    now += 60_000;
    pass(60, { errors: 5_000 });
    expect(stateOf('high-error-rate')).toBe('pending');
    pass(5, { errors: 5_000 });
    expect(stateOf('high-error-rate')).toBe('firing');
  });

  it('resolves nothing, until calm has been seen', () => {
    pass(100, { errors: 5_000 });
    now += 3_600_000;
    pass(5);
    expect(stateOf('high-error-rate')).toBe('firing');
    pass(30);
    expect(stateOf('high-error-rate')).toBe('resolved');
  });

  it('is also a clock that was set back', () => {
    pass(20, { errors: 5_000 });
    now -= 3_600_000;
    pass(5, { errors: 5_000 });
    expect(stateOf('high-error-rate')).toBe('pending');
    pass(60, { errors: 5_000 });
    expect(stateOf('high-error-rate')).toBe('firing');
  });
});

describe('a silence', () => {
  it('is read when an alert fires or resolves, and at no other time', async () => {
    pass(600);
    pass(50, { errors: 5_000 });
    expect(refreshed).toBe(0);
    pass(60, { errors: 5_000 });
    expect(refreshed).toBe(1);
    pass(60);
    expect(refreshed).toBe(2);
  });

  it('leaves the alert to be seen, and warns nobody', async () => {
    silencedUntil = now + 7_200_000;
    pass(100, { errors: 5_000 });
    expect(alerts.list(now)[0]).toMatchObject({
      name: 'high-error-rate',
      state: 'firing',
      silencedUntil: new Date(silencedUntil).toISOString(),
    });
    await Promise.resolve();
    expect(lines).toMatchObject([{ level: 'info', fields: { state: 'firing', silenced: true } }]);
  });
});

it('tells who listens, until it no longer does', async () => {
  let told = 0;
  const stop = alerts.onChange(() => told++);
  pass(300);
  expect(told).toBe(0);
  pass(50, { errors: 5_000 });
  expect(told).toBe(1);
  stop();
  pass(50, { errors: 5_000 });
  await Promise.resolve();
  expect(told).toBe(1);
});

it('lists what matters first', () => {
  pass(100, { errors: 5_000 });
  pass(10, { errors: 5_000, cpu: 1 });
  expect(
    alerts
      .list(now)
      .map(({ name, state }) => `${name} ${state}`)
      .slice(0, 3),
  ).toEqual(['high-error-rate firing', 'high-cpu pending', 'not-ready ok']);
});

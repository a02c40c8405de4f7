import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Observations } from '../../../platform/metrics/observations.ts';
import { withoutValues } from './statements.ts';
import { Traffic } from './traffic.ts';

/** A whole minute, so that windows begin where the tests expect it. */
const START = Date.UTC(2026, 0, 1, 12);
let observations: Observations;
let traffic: Traffic;
const refused = { rateLimited: 0, shed: 0 };

beforeEach(() => {
  vi.useFakeTimers({ now: START, toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  observations = new Observations();
  traffic = new Traffic(observations, {
    instance: 'test-1',
    connections: () => ({ open: 3, working: 2 }),
    pool: () => ({ max: 20, total: 5, idle: 1, waiting: 7 }),
    refused: () => refused,
  });
});
afterEach(() => {
  traffic.close();
  observations.close();
  vi.useRealTimers();
});

const notes = () => observations.routes.of('GET', '/api/notes');

/** Requests of 1 ms, 2 ms, … that are answered evenly over so many seconds, from now on. */
function serve(count: number, seconds: number, status = 200): void {
  for (let index = 0; index < count; index++) {
    observations.request(notes(), status, index + 1);
    vi.advanceTimersByTime((seconds * 1_000) / count);
  }
}

test('tells percentiles of the last minute, and forgets what is older', () => {
  serve(1_000, 50);
  const { requestsPerSecond, p50Ms, p95Ms, p99Ms, errorRatio } = traffic.figures();
  expect(requestsPerSecond).toBeCloseTo(20, 1);
  expect(p50Ms).toBeCloseTo(500, -1);
  for (const [found, expected] of [
    [p50Ms, 500],
    [p95Ms, 950],
    [p99Ms, 990],
  ] as const) {
    expect(Math.abs((found as number) - expected) / expected).toBeLessThan(0.011);
  }
  expect(errorRatio).toBe(0);
  vi.advanceTimersByTime(61_000);
  expect(traffic.figures()).toMatchObject({ requestsPerSecond: 0, p50Ms: null, errorRatio: 0 });
  expect(traffic.totals('5m')).toMatchObject({ requests: 1_000, errors: 0 });
  vi.advanceTimersByTime(60 * 60_000);
  expect(traffic.totals('1h')).toMatchObject({ requests: 0, p99Ms: null });
});

test('the windows end now, and begin when they say', () => {
  serve(60, 60);
  serve(240, 240, 503);
  expect(traffic.totals('1m')).toMatchObject({ requests: 60, errors: 60 });
  expect(traffic.totals('1m').seconds).toBe(60);
  expect(traffic.totals('5m')).toMatchObject({ requests: 300, errors: 240, seconds: 300 });
  expect(traffic.totals('1h')).toMatchObject({ requests: 300, seconds: 300 });
  expect(traffic.figures().errorRatio).toBe(1);
});

test('the history has a column element for each step that is over, null where nobody looked', () => {
  serve(20, 20);
  refused.rateLimited += 5;
  vi.advanceTimersByTime(60_000);
  serve(1, 1);
  const history = traffic.history('5m');
  expect(history.stepMs).toBe(5_000);
  expect(history.times[0]).toBe(START + 5_000);
  expect(history.times).toHaveLength(16);
  expect(history.requestsPerSecond.slice(0, 6)).toEqual([1, 1, 1, 1, 0, null]);
  expect(history.inFlight.slice(0, 6)).toEqual([2, 2, 2, 2, 2, null]);
  expect(history.poolInUse[0]).toBe(4);
  expect(history.p99Ms[4]).toBeNull();
  expect(history.refusedPerSecond[4]).toBe(1);
  for (const column of Object.values(history)) if (Array.isArray(column)) expect(column).toHaveLength(16);
  expect(traffic.history('1m').times).toHaveLength(12);
});

test('routes are told apart, most requests first, and add up', () => {
  const create = observations.routes.of('POST', '/api/notes');
  serve(300, 30);
  for (let index = 0; index < 10; index++)
    observations.request(create, [201, 400, 500][index % 3] as number, 40);
  const { total, routes, distribution = [], seconds } = traffic.report('5m') ?? {};
  expect(routes).toMatchObject([
    { method: 'GET', route: '/api/notes', requests: 300, errors: 0, clientErrors: 0, maxMs: 300 },
    { method: 'POST', route: '/api/notes', requests: 10, errors: 3, clientErrors: 3, maxMs: 40 },
  ]);
  expect(total).toMatchObject({ requests: 310, errors: 3, clientErrors: 3, maxMs: 300 });
  expect(seconds).toBe(30);
  expect(distribution.reduce((sum, { requests }) => sum + requests, 0)).toBe(310);
  expect(traffic.report('5m', 'GET /api/other')).toBeUndefined();
});

test('one route comes with its history by the minute', () => {
  serve(120, 120);
  serve(5, 5, 500);
  const { history, total } = traffic.report('15m', 'GET /api/notes') ?? {};
  expect(history).toMatchObject({
    stepMs: 60_000,
    times: [START + 60_000, START + 120_000],
    requestsPerSecond: [1, 1],
    errorsPerSecond: [0, 0],
  });
  expect(total).toMatchObject({ requests: 125, errors: 5 });
});

test('knows the 20 slowest of the last hour, although the slowest of all grow old', () => {
  const slow = (ms: number) => {
    observations.request(notes(), 200, ms, true, { id: String(ms), url: '/api/notes?secret=1' });
  };
  const slowest = () => traffic.report('5m')?.slowestRequests.map(({ durationMs }) => durationMs);
  for (let index = 0; index < 100; index++) slow(10_000 + Math.random() * 10_000);
  vi.advanceTimersByTime(30 * 60_000);
  observations.request(notes(), 200, 1);
  for (let ms = 1; ms <= 100; ms++) slow(ms);
  expect(slowest()?.every((ms) => ms >= 10_000)).toBe(true);
  vi.advanceTimersByTime(31 * 60_000);
  expect(slowest()).toEqual(Array.from({ length: 20 }, (_, index) => 100 - index));
});

test('ticks while requests come or a screen is open, and at no other time', () => {
  const ticks: number[] = [];
  const end = traffic.onTick((at) => ticks.push(at));
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(60_000);
  expect(ticks).toEqual([]);
  observations.request(notes(), 200, 1);
  vi.advanceTimersByTime(60_000);
  // One for the request, one that finds nothing.
  expect(ticks.map((at) => at - START)).toEqual([62_000, 64_000]);
  expect(vi.getTimerCount()).toBe(0);
  const leave = traffic.watch();
  vi.advanceTimersByTime(10_000);
  expect(ticks).toHaveLength(7);
  leave();
  leave();
  vi.advanceTimersByTime(60_000);
  expect(ticks.length).toBeLessThanOrEqual(9);
  expect(vi.getTimerCount()).toBe(0);
  const before = ticks.length;
  end();
  serve(10, 10);
  expect(ticks).toHaveLength(before);
});

test('a clock that is set back, and one that jumps, lose nothing but their own time', () => {
  serve(10, 10);
  vi.setSystemTime(START - 3_600_000);
  serve(10, 10);
  vi.advanceTimersByTime(5_000);
  // What came in the moment of the jump went to the time before it.
  expect(traffic.totals('1m').requests).toBeGreaterThanOrEqual(9);
  vi.setSystemTime(START + 24 * 3_600_000);
  serve(10, 10);
  expect(traffic.totals('1m').requests).toBeGreaterThanOrEqual(9);
  expect(traffic.history('1h').times.length).toBeLessThanOrEqual(720);
});

test('queries are told by operation, the slow ones without values', () => {
  observations.query('select * from notes where id = $1', 12, false);
  observations.query("INSERT INTO notes VALUES ('my secret', 4711)", 250, true);
  observations.acquire(3);
  const { queryP95Ms, pool } = traffic.figures();
  expect(queryP95Ms).toBeCloseTo(12, 0);
  expect(pool).toMatchObject({ size: 20, open: 5, idle: 1, waiting: 7 });
  expect(pool.acquireP95Ms).toBeCloseTo(3, 0);
  expect(traffic.report('5m')?.slowestQueries).toMatchObject([
    { statement: 'INSERT INTO notes VALUES (?, ?)', operation: 'insert', durationMs: 250, failed: true },
    { statement: 'select * from notes where id = $1', operation: 'select', failed: false },
  ]);
});

test('no value of a statement is ever shown', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 10_000_000 }), (text, number) => {
      const literal = `'mark${text.replaceAll("'", "''")}mark'`;
      const shown = withoutValues(
        `select ${number}, ${literal}, $1 from "t2" where a=${number}.5 and b = ${literal}`,
      );
      expect(shown).toBe('select ?, ?, $1 from "t2" where a=? and b = ?');
    }),
  );
  expect(withoutValues("select E'it\\'s', $tag$ it's $tag$, $$x$$")).toBe('select ?, ?, ?');
  expect(withoutValues("select 'a\\', 'secret' -- it's mine\n, /* '1 */ 2")).toBe('select ?, ? , ?');
  expect(withoutValues("select 'never ends").length).toBeLessThan(20);
  expect(withoutValues(`select ${'a,'.repeat(5_000)}`)).toHaveLength(500);
});

test('leaves the statements of operations out', () => {
  observations.query('select "id" from "silences" where "silences"."expires_at" > now()', 30, false);
  observations.query('/* operations */ select 1', 20, false);
  observations.query('select 1 from notes', 10, false);
  expect(traffic.report('5m')?.slowestQueries.map(({ statement }) => statement)).toEqual([
    'select ? from notes',
  ]);
  expect(traffic.figures().queryP95Ms).toBeCloseTo(10, 0);
});

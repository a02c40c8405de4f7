import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CheckFailure, HealthChecks } from './health-checks.ts';

/** By the timers that the tests turn. */
const waits = (ms: number) => new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), ms));

const REQUIRED = { required: true, timeoutMs: 200 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A check whose outcome the test decides, and that counts its runs. */
function scripted(checks: HealthChecks, name = 'database') {
  const script = { runs: 0, fails: false as boolean | string };
  checks.register({
    name,
    ...REQUIRED,
    async run() {
      script.runs += 1;
      if (script.fails) throw new CheckFailure(script.fails === true ? 'it is away' : script.fails);
    },
  });
  return script;
}
const settle = () => vi.advanceTimersByTimeAsync(0);

describe('HealthChecks', () => {
  it('awaits a first result', async () => {
    const checks = new HealthChecks();
    scripted(checks);
    expect(await checks.read()).toMatchObject({ database: { status: 'passing', required: true } });
  });

  it('keeps the last result where `known` fails, and reports the error', async () => {
    const faults: unknown[][] = [];
    const checks = new HealthChecks((...fault) => faults.push(fault));
    const fault = new Error('the look failed');
    for (const [name, known] of Object.entries({
      rejects: () => Promise.reject(fault),
      throws: () => {
        throw fault;
      },
    }))
      checks.register({ name, ...REQUIRED, known, run: () => undefined });
    expect(await checks.read()).toMatchObject({
      rejects: { status: 'passing' },
      throws: { status: 'passing' },
    });
    expect(faults).toEqual([
      ['throws', fault],
      ['rejects', fault],
    ]);
  });

  it('fails at once where the first result is a failure', async () => {
    const checks = new HealthChecks();
    scripted(checks).fails = true;
    expect(await checks.read()).toMatchObject({ database: { status: 'failing', error: 'it is away' } });
  });

  it('keeps a passing result for 5 s, then answers with it once more and refreshes behind', async () => {
    const checks = new HealthChecks();
    const check = scripted(checks);
    await checks.read();
    await vi.advanceTimersByTimeAsync(4_900);
    await checks.read();
    expect(check.runs).toBe(1);
    await vi.advanceTimersByTimeAsync(200);
    await checks.read();
    await settle();
    expect(check.runs).toBe(2);
  });

  it('fails a passing check after two failures in a row, and runs a failing one every second', async () => {
    const checks = new HealthChecks();
    const check = scripted(checks);
    await checks.read();
    check.fails = true;
    const seen: unknown[] = [];
    for (const pause of [5_100, 1_100, 1_100]) {
      await vi.advanceTimersByTimeAsync(pause);
      seen.push((await checks.read()).database?.status);
      await settle();
    }
    expect(seen).toEqual(['passing', 'passing', 'failing']);
    check.fails = false;
    await vi.advanceTimersByTimeAsync(1_100);
    await checks.read();
    await settle();
    expect(await checks.read()).toMatchObject({ database: { status: 'passing' } });
  });

  it('keeps passing after a single failure', async () => {
    const checks = new HealthChecks();
    const check = scripted(checks);
    await checks.read();
    for (const fails of [true, false, true, false]) {
      check.fails = fails;
      await vi.advanceTimersByTimeAsync(5_100);
      await checks.read();
      await settle();
      expect((await checks.read()).database?.status).toBe('passing');
    }
  });

  it('awaits a result older than 15 s, and so does a clock that was set back', async () => {
    const checks = new HealthChecks();
    const check = scripted(checks);
    await checks.read();
    await vi.advanceTimersByTimeAsync(15_100);
    await checks.read();
    expect(check.runs).toBe(2);
    vi.setSystemTime(Date.now() - 3_600_000);
    await checks.read();
    expect(check.runs).toBe(3);
  });

  it('waits one second at most, and does not call a slow answer a failure', async () => {
    const checks = new HealthChecks();
    let slow = false;
    checks.register({
      name: 'database',
      required: true,
      timeoutMs: 8_000,
      run: () => (slow ? waits(5_000) : undefined),
    });
    await checks.read();
    slow = true;
    await vi.advanceTimersByTimeAsync(60_000);
    const began = Date.now();
    const read = checks.read();
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await read).database?.status).toBe('passing');
    expect(Date.now() - began).toBe(1_000);
  });

  it('runs a check once at a time', async () => {
    const checks = new HealthChecks();
    let runs = 0;
    checks.register({
      name: 'database',
      ...REQUIRED,
      run: () => {
        runs += 1;
        return waits(100);
      },
    });
    const reads = Promise.all([checks.read(), checks.read(), checks.read()]);
    await vi.advanceTimersByTimeAsync(100);
    await reads;
    expect(runs).toBe(1);
  });

  it('counts no answer within the time-out as a failure, and aborts the run', async () => {
    const checks = new HealthChecks();
    let aborted = false;
    checks.register({
      name: 'database',
      ...REQUIRED,
      run: (signal) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            aborted = true;
          });
        }),
    });
    const read = checks.read();
    await vi.advanceTimersByTimeAsync(200);
    expect((await read).database).toMatchObject({ status: 'failing', error: 'no answer within 200 ms' });
    expect(aborted).toBe(true);
  });

  it('publishes no foreign error, and logs all of it', async () => {
    const faults: unknown[] = [];
    const checks = new HealthChecks((_name, error) => faults.push(error));
    checks.register({
      name: 'database',
      ...REQUIRED,
      run() {
        throw new Error('password authentication failed for user "app" at 10.0.0.7');
      },
    });
    expect(JSON.stringify(await checks.read())).not.toMatch(/10\.0\.0\.7|app|password/);
    expect(String(faults[0])).toContain('10.0.0.7');
  });

  it('can read the required ones alone', async () => {
    const checks = new HealthChecks();
    scripted(checks);
    checks.register({
      name: 'disk',
      required: false,
      timeoutMs: 100,
      run: () => ({ degraded: '15 % is free' }),
    });
    expect(Object.keys(await checks.read({ requiredOnly: true }))).toEqual(['database']);
    expect((await checks.read()).disk).toMatchObject({ status: 'degraded', error: '15 % is free' });
  });

  it('refuses two checks of one name', () => {
    const checks = new HealthChecks();
    scripted(checks);
    expect(() => scripted(checks)).toThrow("'database' is registered twice");
  });
});

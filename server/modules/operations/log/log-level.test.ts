import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LogLevelSwitch } from './log-level.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function made(level: string) {
  const lines: { msg: string; from: string; to: string }[] = [];
  const log = pino({ level }, { write: (line) => lines.push(JSON.parse(line)) });
  const child = log.child({});
  return { log, child, lines, level: new LogLevelSwitch(log, child) };
}

it('changes every logger it was given, for a while, and says so', () => {
  const { log, child, lines, level } = made('info');
  level.change('debug', 5 * 60_000);
  expect([log.level, child.level, level.now()]).toEqual([
    'debug',
    'debug',
    { level: 'debug', configured: 'info', until: new Date(Date.now() + 300_000).toISOString() },
  ]);
  vi.advanceTimersByTime(299_999);
  expect(log.level).toBe('debug');
  vi.advanceTimersByTime(1);
  expect([log.level, child.level, level.now()]).toEqual([
    'info',
    'info',
    { level: 'info', configured: 'info', until: null },
  ]);
  expect(lines.map(({ from, to }) => `${from} ${to}`)).toEqual(['info debug', 'debug info']);
});

it('goes back to what was configured, however often it was changed between', () => {
  const { log, level } = made('warn');
  level.change('debug', 60_000);
  vi.advanceTimersByTime(30_000);
  level.change('trace', 120_000);
  vi.advanceTimersByTime(60_000);
  expect(log.level).toBe('trace');
  vi.advanceTimersByTime(60_000);
  expect(log.level).toBe('warn');
});

it('goes back at the next look if the process was frozen, and its timers with it', () => {
  const { log, level } = made('info');
  level.change('debug', 60_000);
  vi.setSystemTime(Date.now() + 3_600_000);
  expect(level.now()).toMatchObject({ level: 'info', until: null });
  expect(log.level).toBe('info');
});

it('is said also where one of the levels would hide it', () => {
  const { lines, level } = made('fatal');
  level.change('info', 60_000);
  level.reset();
  expect(lines.map(({ from, to }) => `${from} ${to}`)).toEqual(['fatal info', 'info fatal']);
});

it('keeps no process alive', () => {
  vi.useRealTimers();
  const { level } = made('info');
  const timers = () => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length;
  const before = timers();
  level.change('debug', 60_000);
  expect(timers()).toBe(before);
  level.reset();
});

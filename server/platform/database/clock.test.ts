import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Clock } from './clock.ts';

const START = Date.UTC(2026, 0, 1);
let clock: Clock;
let ran: string[] = [];
const warnings: object[] = [];
const run = (name: string) => () => void ran.push(name);

beforeEach(() => {
  vi.useFakeTimers({ now: START, toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  ran = [];
  clock = new Clock({ debug() {}, info() {}, warn: (fields: object) => void warnings.push(fields) });
});
afterEach(() => {
  clock.end();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

it('has one timer for all that is due, and none when nothing is', () => {
  expect(vi.getTimerCount()).toBe(0);
  clock.at('late', START + 2_000, run('late'));
  clock.at('soon', START + 1_000, run('soon'));
  clock.at('never', START + 500, run('never'));
  clock.at('never', undefined, run('never'));
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(999);
  expect(ran).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(ran).toEqual(['soon']);
  vi.advanceTimersByTime(1_000);
  expect(ran).toEqual(['soon', 'late']);
  expect(vi.getTimerCount()).toBe(0);
  clock.at('past', START, run('past'));
  vi.advanceTimersByTime(0);
  expect(ran).toEqual(['soon', 'late', 'past']);
});

it('replaces a due time under its name, also from within what runs', () => {
  clock.at('a', START + 5_000, run('first'));
  clock.at('a', START + 1_000, () => {
    ran.push('second');
    clock.at('a', START + 3_000, run('third'));
  });
  vi.advanceTimersByTime(10_000);
  expect(ran).toEqual(['second', 'third']);
});

it('waits for longer than a timer can', () => {
  const forty = START + 40 * 86_400_000;
  clock.at('far', forty, run('far'));
  clock.at('forever', Number.MAX_SAFE_INTEGER, run('forever'));
  vi.advanceTimersByTime(40 * 86_400_000 - 1);
  expect(ran).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(ran).toEqual(['far']);
});

it('runs what is due once after a freeze, and at the next check after the clock was set forward', () => {
  clock.at('a', START + 1_000, run('a'));
  clock.at('b', START + 2_000, run('b'));
  vi.setSystemTime(START + 3_600_000);
  clock.check();
  expect(ran).toEqual(['a', 'b']);
  clock.check();
  vi.advanceTimersByTime(10_000);
  expect(ran).toEqual(['a', 'b']);
});

it('is not late after the clock was set back', () => {
  clock.at('a', START + 1_000, run('a'));
  clock.at('b', START + 2_000, run('b'));
  vi.setSystemTime(START - 3_600_000);
  vi.advanceTimersByTime(999);
  expect(ran).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(ran).toEqual(['a']);
});

it('logs what fails, and runs the rest', () => {
  clock.at('a', START + 1, () => {
    throw new Error('broken');
  });
  clock.at('b', START + 1, run('b'));
  vi.advanceTimersByTime(1);
  expect(ran).toEqual(['b']);
  expect(warnings).toMatchObject([{ err: { message: 'broken' } }]);
});

it('arms nothing once it has ended', () => {
  clock.at('a', START + 1, run('a'));
  clock.end();
  clock.at('b', START + 1, run('b'));
  expect(vi.getTimerCount()).toBe(0);
});

import { expect, it } from 'vitest';
import { LogLines } from './log-lines.ts';

const heard: string[] = [];
const hear = (lines: Buffer, count: number, endsInError: boolean) => {
  heard.push(`${lines} ${count} ${endsInError}`);
};
const add = (lines: LogLines, text: string, endsInError = false) =>
  lines.add(Buffer.from(text), 1, endsInError);

it('passes a listener the lines before it, then new ones, until it unsubscribes', () => {
  heard.length = 0;
  const lines = new LogLines();
  add(lines, 'early');
  add(lines, 'bad', true);
  const end = lines.subscribe(hear);
  add(lines, 'later');
  expect(heard).toEqual(['early 1 false', 'bad 1 true', 'later 1 false']);
  expect(() => lines.subscribe(hear)).toThrow('already has its one listener');
  end();
  add(lines, 'too late');
  expect(heard).toHaveLength(3);
});

it('keeps the newest 64 KiB for a listener, and nothing once the application is loaded', () => {
  heard.length = 0;
  const lines = new LogLines();
  for (let n = 0; n < 100; n++) add(lines, `${n} ${'x'.repeat(1_021 - String(n).length)}`);
  add(lines, 'y'.repeat(100_000));
  add(lines, 'last');
  lines.subscribe(hear);
  expect(heard).toEqual(['last 1 false']);

  heard.length = 0;
  const many = new LogLines();
  for (let n = 0; n < 1_000; n++) add(many, String(n).padEnd(1_024));
  many.subscribe(hear);
  expect(heard.map((one) => Number.parseInt(one, 10))).toEqual(Array.from({ length: 64 }, (_, n) => 936 + n));

  heard.length = 0;
  const loaded = new LogLines();
  add(loaded, 'early');
  loaded.forgetEarly();
  add(loaded, 'between');
  loaded.subscribe(hear);
  add(loaded, 'later');
  expect(heard).toEqual(['later 1 false']);
});

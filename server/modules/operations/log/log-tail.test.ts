import { expect, it } from 'vitest';
import { LogTail } from './log-tail.ts';

const TIME = '2026-01-01T00:00:00.000Z';
const line = (level: string | number, msg: string, more: object = {}) =>
  `${JSON.stringify({ level, time: TIME, ...more, msg })}\n`;

function tailOf(lines: string[]): LogTail {
  const tail = new LogTail();
  for (const one of lines) tail.add(Buffer.from(one));
  return tail;
}

const messages = (tail: LogTail, query?: Parameters<LogTail['read']>[0]) =>
  tail.read(query).map(({ message }) => message);

it('tells each line by its parts, in the order in which they were written', () => {
  const tail = tailOf([
    line('info', 'request', { requestId: 'r-1', path: '/a', status: 200 }),
    line(40, 'by number', { time: 0 }),
  ]);
  expect(tail.read()).toEqual([
    {
      seq: 1,
      time: TIME,
      level: 'info',
      message: 'request',
      requestId: 'r-1',
      fields: { path: '/a', status: 200 },
    },
    { seq: 2, time: '1970-01-01T00:00:00.000Z', level: 'warn', message: 'by number', fields: {} },
  ]);
});

it('is read by level, text, request and number, the newest lines first to stay', () => {
  const tail = tailOf([
    line('debug', 'one', { requestId: 'r-1' }),
    line('info', 'Two', { requestId: 'r-12' }),
    line('error', 'three', { requestId: 'r-1', err: { message: 'two feet' } }),
    line(50, 'four'),
  ]);
  expect(messages(tail, { level: 'info' })).toEqual(['Two', 'three', 'four']);
  expect(messages(tail, { level: 'error' })).toEqual(['three', 'four']);
  expect(messages(tail, { search: 'TWO' })).toEqual(['Two', 'three']);
  expect(messages(tail, { requestId: 'r-1' })).toEqual(['one', 'three']);
  expect(messages(tail, { limit: 2 })).toEqual(['three', 'four']);
  expect(messages(tail, { requestId: 'r-1', limit: 1 })).toEqual(['three']);
});

it('holds the last thousand lines, and says how many of those behind a line it has lost', () => {
  const tail = tailOf(Array.from({ length: 2_500 }, (_, i) => line('info', String(i + 1))));
  const kept = tail.read();
  expect(kept.map(({ seq }) => seq)).toEqual(Array.from({ length: 1_000 }, (_, i) => 1_501 + i));
  expect(kept.every(({ seq, message }) => message === String(seq))).toBe(true);
  expect(tail.after(2_498)).toMatchObject({ lines: [{ seq: 2_499 }, { seq: 2_500 }], missed: 0 });
  expect(tail.after(1_400).missed).toBe(100);
  expect(tail.after(2_400, { limit: 30 })).toMatchObject({ missed: 70 });
  expect(tail.after(2_500)).toEqual({ lines: [], missed: 0 });
});

it('holds no more than half a million characters, and of a huge line its beginning', () => {
  const tail = new LogTail();
  for (let i = 0; i < 100; i++) tail.add(Buffer.from(line('info', `${i} ${'x'.repeat(20_000)}`)));
  const kept = tail.read();
  expect(JSON.stringify(kept).length).toBeLessThan(550_000);
  expect(kept.length).toBeGreaterThan(20);
  expect(kept.at(-1)?.message).toMatch(/^99 x/);
  tail.add(Buffer.from(line('warn', 'big', { requestId: 'r-big', object: 'y'.repeat(100_000) })));
  const huge = tail.read().at(-1);
  expect(huge).toMatchObject({ level: 'warn', requestId: 'r-big', fields: {} });
  expect(huge?.message).toMatch(/^big … \(shortened: the line has 100\d\d\d characters\)$/);
});

it('keeps an unbroken end of what came, however long the pieces are', () => {
  const tail = new LogTail();
  let said = 0;
  for (let piece = 0; piece < 2_000; piece++) {
    // Few long lines, so that it is bytes that run out: from 1 to 90 kB in a piece.
    const count = 1 + (piece % 3);
    const lines = Array.from({ length: count }, () =>
      line('info', `${++said} ${'ä'.repeat((piece * 7_919) % 15_000)}`),
    );
    tail.add(Buffer.from(lines.join('')), count);
    if (piece % 50 !== 49) continue;
    const kept = messages(tail).map((message) => Number.parseInt(message, 10));
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => said - kept.length + 1 + i));
    expect(Buffer.byteLength(messages(tail).join(''))).toBeGreaterThan(piece < 100 ? 0 : 350_000);
  }
});

it('tells who waits for lines, until they wait no longer', () => {
  const tail = new LogTail();
  let told = 0;
  const end = tail.onLines(() => told++);
  tail.add(Buffer.from(line('info', 'one') + line('info', 'two')), 2);
  end();
  tail.add(Buffer.from(line('info', 'three')));
  expect(told).toBe(1);
});

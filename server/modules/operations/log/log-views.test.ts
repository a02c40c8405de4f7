import { expect, it } from 'vitest';
import { LogLines } from '../../../platform/logging/log-lines.ts';
import { viewLog } from './log-views.ts';

const line = (level: string, msg: string, more: object = {}) =>
  `${JSON.stringify({ level, time: '2026-01-01T00:00:00.000Z', ...more, msg })}\n`;

it('shows every line, and groups the error that lines end in', () => {
  const log = new LogLines();
  const failed = line('error', 'failed — badly', { err: { type: 'TypeError', message: 'x is no y' } });
  log.add(Buffer.from(line('info', 'starting')), 1, false);
  log.add(Buffer.from(line('info', 'before') + failed), 2, true);
  const { tail, errors, end } = viewLog(log);
  log.add(Buffer.from(failed), 1, true);
  expect(tail.read().map(({ message }) => message)).toEqual([
    'starting',
    'before',
    'failed — badly',
    'failed — badly',
  ]);
  expect(errors.list()).toMatchObject([{ type: 'TypeError', message: 'x is no y', count: 2 }]);
  end();
  log.add(Buffer.from(failed), 1, true);
  expect(errors.seen).toBe(2);
});

import type { LogLines } from '../../../platform/logging/log-lines.ts';
import { ErrorGroups } from './error-groups.ts';
import { LogTail } from './log-tail.ts';

/** Views of the log that need no log file. */
export interface LogViews {
  tail: LogTail;
  errors: ErrorGroups;
}

/** @returns Views of the log from now on, and a function that ends the subscription. */
export function viewLog(log: LogLines): LogViews & { end: () => void } {
  const tail = new LogTail(log.flush);
  const errors = new ErrorGroups();
  const end = log.subscribe((lines, count, endsInError) => {
    tail.add(lines, count);
    if (endsInError) errors.add(lastOf(lines));
  });
  return { tail, errors, end };
}

/** The last line of several. */
function lastOf(lines: Buffer): string {
  const end = lines.length - 1;
  return lines.toString('utf8', lines.lastIndexOf('\n', end - 1) + 1, end);
}

import { createHash } from 'node:crypto';
import type { ErrorGroup } from '#contracts/operations/log.ts';

/** A new group evicts the least recently seen one. */
const MAX_GROUPS = 200;
/** Maximum lengths, in characters. */
const MAX_MESSAGE = 1_000;
const MAX_STACK = 8_000;

/** A log line with an error, as pino serializes it. */
interface LoggedError {
  time: string | number;
  msg?: string;
  requestId?: string;
  method?: string;
  route?: string;
  err?: { type?: string; message?: string; stack?: string } | string;
}

/** The errors of this process by kind. They are taken from the log, so no error has to be reported twice. */
export class ErrorGroups {
  /** Least recently seen first. */
  readonly #groups = new Map<string, ErrorGroup>();
  /** Number of errors so far. It tells a reader whether there are new ones. */
  seen = 0;

  /** Adds a line of level `error` or `fatal`. A line without an error object is ignored. */
  add(line: string): void {
    const { time, msg = '', requestId, method, route, err }: LoggedError = JSON.parse(line);
    if (err === undefined || err === null) return;
    const { type = 'Error', message = msg, stack } = typeof err === 'string' ? { message: err } : err;
    const fingerprint = fingerprintOf(type, message, stack);
    const known = this.#groups.get(fingerprint);
    const at = typeof time === 'number' ? new Date(time).toISOString() : time;
    this.#groups.delete(fingerprint);
    this.#groups.set(fingerprint, {
      fingerprint,
      type,
      message: cut(message, MAX_MESSAGE),
      count: (known?.count ?? 0) + 1,
      firstSeen: known?.firstSeen ?? at,
      lastSeen: at,
      ...(route === undefined ? {} : { route: method === undefined ? route : `${method} ${route}` }),
      ...(requestId === undefined ? {} : { requestId }),
      ...(stack === undefined ? {} : { stack: cut(stack, MAX_STACK) }),
    });
    this.seen++;
    if (this.#groups.size > MAX_GROUPS) {
      const [oldest = ''] = this.#groups.keys();
      this.#groups.delete(oldest);
    }
  }

  /** Last seen first. */
  list(): ErrorGroup[] {
    return [...this.#groups.values()].reverse();
  }
}

/** A copy, because a slice of a string keeps the whole string in memory. */
const cut = (text: string, max: number) =>
  text.length <= max ? text : `${Buffer.from(text.slice(0, max))}…`;

function fingerprintOf(type: string, message: string, stack: string | undefined): string {
  const kind = [type, withoutParticulars(message), firstFrameOfOurs(stack)].join('\n');
  return createHash('sha256').update(kind).digest('hex').slice(0, 16);
}

/** A message without its variable parts: quoted text, ids, numbers. */
export function withoutParticulars(message: string): string {
  return message
    .replace(/"[^"]*"|(?<!\w)'[^']*'|`[^`]*`|“[^”]*”/g, '…')
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, '…')
    .replace(/\b(?=\w*\d)[\w-]{12,}/g, '…')
    .replace(/\d+/g, '…');
}

/** The first frame of our own code, neither of Node nor of a package. */
export function firstFrameOfOurs(stack: string | undefined): string {
  const frames = stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
  const own = frames.find((line) => /:\d+:\d+\)?$/.test(line) && !/node_modules|\bnode:/.test(line));
  return own?.trim() ?? '';
}

import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { ErrorGroup } from '#contracts/operations/log.ts';
import type { ObservedRequest } from '../../../platform/metrics/observations.ts';
import type { Route } from '../../../platform/metrics/routes.ts';

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

/** The errors of this process by kind: those in its log, and its other answers of 500 or more. */
export class ErrorGroups {
  /** By fingerprint, or by status, type and route. Least recently seen first. */
  readonly #groups = new Map<string, ErrorGroup>();
  /** Number of errors so far. It tells a reader whether there are new ones. */
  seen = 0;

  /** Adds a line of level `error` or `fatal`. A line without an error object is ignored. */
  add(line: string): void {
    const { time, msg = '', requestId, method, route, err }: LoggedError = JSON.parse(line);
    if (err === undefined || err === null) return;
    const { type = 'Error', message = msg, stack } = typeof err === 'string' ? { message: err } : err;
    const fingerprint = fingerprintOf([type, withoutParticulars(message), firstFrameOfOurs(stack)]);
    const at = typeof time === 'number' ? new Date(time).toISOString() : time;
    this.#count(fingerprint, {
      fingerprint,
      type,
      message: cut(message, MAX_MESSAGE),
      lastSeen: at,
      ...(route === undefined ? {} : { route: method === undefined ? route : `${method} ${route}` }),
      ...(requestId === undefined ? {} : { requestId }),
      ...(stack === undefined ? {} : { stack: cut(stack, MAX_STACK) }),
    });
  }

  /** Adds an answer of 500 or more, unless the log has its error. While load is shed there are thousands in a second. */
  addAnswer({ method, route }: Pick<Route, 'method' | 'route'>, status: number, request?: ObservedRequest) {
    const { failure, id: requestId } = request ?? {};
    if (failure?.logged) return;
    const type = failure?.type ?? STATUS_CODES[status] ?? 'Server error';
    const name = `${method} ${route}`;
    const key = `${status} ${type} ${name}`;
    this.#count(key, {
      fingerprint: this.#groups.get(key)?.fingerprint ?? fingerprintOf([key]),
      type,
      message: cut(failure?.message ?? 'The route answered so itself.', MAX_MESSAGE),
      lastSeen: new Date().toISOString(),
      route: name,
      status,
      ...(requestId === undefined ? {} : { requestId }),
    });
  }

  #count(key: string, latest: Omit<ErrorGroup, 'count' | 'firstSeen'>): void {
    const { count = 0, firstSeen = latest.lastSeen } = this.#groups.get(key) ?? {};
    this.#groups.delete(key);
    this.#groups.set(key, { ...latest, count: count + 1, firstSeen });
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

const fingerprintOf = (kind: string[]) =>
  createHash('sha256').update(kind.join('\n')).digest('hex').slice(0, 16);

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

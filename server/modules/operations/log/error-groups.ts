import { createHash } from 'node:crypto';
import type { ErrorGroup } from '#contracts/operations/log.ts';

/** The kind that was seen least recently goes for a new one. */
const MAX_GROUPS = 200;
/** Characters of what is shown. */
const MAX_MESSAGE = 1_000;
const MAX_STACK = 8_000;

/** An error in a line of the log, as pino's serializer writes it. */
interface LoggedError {
  time: string | number;
  msg?: string;
  requestId?: string;
  method?: string;
  route?: string;
  err?: { type?: string; message?: string; stack?: string } | string;
}

/**
 * The errors of this process by kind. They are taken from the log, so that what stands here is what stands there, and
 * nobody has to remember to report an error twice.
 */
export class ErrorGroups {
  /** Least recently seen first. */
  readonly #groups = new Map<string, ErrorGroup>();
  /** Counts the errors; tells whoever has looked before whether there is more to see. */
  seen = 0;

  /** Takes in one line of level `error` or `fatal`; one without an error is left to the log. */
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

/** A copy: a slice of a text keeps the whole of it in memory. */
const cut = (text: string, most: number) =>
  text.length <= most ? text : `${Buffer.from(text.slice(0, most))}…`;

function fingerprintOf(type: string, message: string, stack: string | undefined): string {
  const kind = [type, withoutParticulars(message), firstFrameOfOurs(stack)].join('\n');
  return createHash('sha256').update(kind).digest('hex').slice(0, 16);
}

/** A message without what differs from one time to the next: what stands in quotes, ids, numbers. */
export function withoutParticulars(message: string): string {
  return message
    .replace(/"[^"]*"|(?<!\w)'[^']*'|`[^`]*`|“[^”]*”/g, '…')
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, '…')
    .replace(/\b(?=\w*\d)[\w-]{12,}/g, '…')
    .replace(/\d+/g, '…');
}

/** Where our own code comes into a stack: neither Node's frames nor those of packages. */
export function firstFrameOfOurs(stack: string | undefined): string {
  const frames = stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
  const own = frames.find((line) => /:\d+:\d+\)?$/.test(line) && !/node_modules|\bnode:/.test(line));
  return own?.trim() ?? '';
}

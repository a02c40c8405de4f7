import type { FastifyBaseLogger } from 'fastify';
import { type Bindings, type DestinationStream, type Logger, symbols } from 'pino';

type Line = Parameters<FastifyBaseLogger['info']>;

/**
 * The logger of one request, which knows its id.
 *
 * Few requests log anything of their own, and pino's child costs more than what the others do altogether; so it is made
 * by the first line that is written.
 */
class RequestLog {
  readonly #parent: FastifyBaseLogger;
  readonly #bindings: Bindings;
  readonly #make: FastifyBaseLogger['child'];
  #child: FastifyBaseLogger | undefined;

  constructor(parent: FastifyBaseLogger, bindings: Bindings, make: FastifyBaseLogger['child']) {
    this.#parent = parent;
    this.#bindings = bindings;
    this.#make = make;
  }

  get #own(): FastifyBaseLogger {
    this.#child ??= this.#make.call(this.#parent, this.#bindings);
    return this.#child;
  }

  get level(): string {
    return this.#parent.level;
  }

  child(...more: Parameters<FastifyBaseLogger['child']>): FastifyBaseLogger {
    return this.#own.child(...more);
  }
  fatal(...line: Line): void {
    this.#own.fatal(...line);
  }
  error(...line: Line): void {
    this.#own.error(...line);
  }
  warn(...line: Line): void {
    hideQuery((line[0] as { err?: Error & { code?: string } } | undefined)?.err);
    this.#own.warn(...line);
  }
  info(...line: Line): void {
    this.#own.info(...line);
  }
  debug(...line: Line): void {
    this.#own.debug(...line);
  }
  trace(...line: Line): void {
    this.#own.trace(...line);
  }
  silent(): void {}
}

/**
 * Fastify's warning of a handler that answers once more, as one does that ends after its deadline, quotes the whole address.
 * What stands behind its `?` may be anybody's secret, and no line of ours has it. The error was made for this line alone.
 */
function hideQuery(error: (Error & { code?: string }) | undefined): void {
  if (error?.code !== 'FST_ERR_REP_ALREADY_SENT') return;
  const query = /\?.*(?=" \([A-Z-]+\)\?)/s.exec(error.message)?.[0];
  if (query === undefined) return;
  error.message = error.message.replace(query, '');
  error.stack = error.stack?.replace(query, '');
}

/**
 * Makes the loggers of requests, of this logger and of all that come from it, wait for their first line.
 *
 * It is done to the logger itself, because Fastify looks for seven methods on whatever another `childLoggerFactory` returns,
 * at each request.
 *
 * @param idLabel What Fastify calls the id of a request (`requestIdLogLabel`).
 */
export function makeRequestLogsLazy(log: FastifyBaseLogger, idLabel: string): void {
  const { child } = log;
  log.child = function lazily(this: FastifyBaseLogger, bindings, options) {
    const isOfRequest =
      idLabel in bindings && options?.level === undefined && options?.serializers === undefined;
    if (!isOfRequest) return child.call(this, bindings, options);
    return new RequestLog(this, bindings, child) as unknown as FastifyBaseLogger;
  };
}

/** What is logged of each request when its answer has gone out. */
export interface AccessLine {
  requestId: string;
  method: string;
  path: string;
  /** The pattern that matched. */
  route: string | undefined;
  status: number;
  /** To the hundredth. */
  durationMs: number;
  traceId: string | undefined;
  /** True where the client left before its answer was complete; else not there. */
  aborted: true | undefined;
}

type AccessLevel = 'info' | 'debug';
const LEVELS = { info: 30, debug: 20 };
const MESSAGE = 'request';

/** What pino keeps of itself on a logger. It names these in `pino.symbols`, and does not describe them. */
interface Insides {
  [symbols.asJsonSym](fields: object, message: string, level: number, time: string): string;
  [symbols.streamSym]: DestinationStream & { lastLevel?: number };
}

const quoted = JSON.stringify;
const digits = (hundredths: number) => String(hundredths / 100);
/** Most requests take less than ten milliseconds, and a number with a fraction takes long to be written out. */
const DURATIONS = Array.from({ length: 1_000 }, (_, hundredths) => digits(hundredths));

/** From the method to the status, by method, route and status: of a route without parameters always the same. */
const middles: Record<string, Map<string, Map<number, string>>> = {};

function middle(method: string, path: string, route: string | undefined, status: number): string {
  // So that it is no larger than the list of routes, whatever is asked for.
  if (path !== route) return middleAnew(method, path, route, status);
  middles[method] ??= new Map();
  const byRoute = middles[method];
  let byStatus = byRoute.get(route);
  if (byStatus === undefined) {
    byStatus = new Map();
    byRoute.set(route, byStatus);
  }
  let text = byStatus.get(status);
  if (text === undefined) {
    text = middleAnew(method, path, route, status);
    byStatus.set(status, text);
  }
  return text;
}

function middleAnew(method: string, path: string, route: string | undefined, status: number): string {
  const pattern = route === undefined ? '' : `,"route":${quoted(route)}`;
  return `","method":"${method}","path":${quoted(path)}${pattern},"status":${status},"durationMs":`;
}

/**
 * The line that pino would write, put together for these fields alone: it takes a tenth of the time.
 *
 * @param time As pino puts it behind the level.
 */
function asText(level: AccessLevel, time: string, line: AccessLine): string {
  const { requestId, method, path, route, status, durationMs, traceId, aborted } = line;
  const hundredths = Math.round(durationMs * 100);
  // An id is made of characters that stand for themselves (request-context.ts).
  const text = `{"level":"${level}"${time},"requestId":"${requestId}${middle(method, path, route, status)}${
    DURATIONS[hundredths] ?? digits(hundredths)
  }`;
  if (traceId === undefined && aborted === undefined) return `${text},"msg":"${MESSAGE}"}\n`;
  const trace = traceId === undefined ? '' : `,"traceId":"${traceId}"`;
  return `${text}${trace}${aborted ? ',"aborted":true' : ''},"msg":"${MESSAGE}"}\n`;
}

const SAMPLE: AccessLine = {
  requestId: 'sample-1',
  method: 'GET',
  path: '/a "b"',
  route: '/*',
  status: 200,
  durationMs: 0.25,
  traceId: '0af7651916cd43dd8448eb211c80319c',
  aborted: true,
};

/**
 * How a logger's access lines are written: by the quick way where that gives the very line that pino gives, and through pino
 * where the logger has been given other fields, forms or redactions than it had when this was written.
 *
 * The line goes where pino writes its own, so that there is one order, one buffer and one tail.
 */
export function accessLines(log: Logger): (level: AccessLevel, line: AccessLine) => void {
  const insides = log as unknown as Partial<Insides>;
  const stream = insides[symbols.streamSym];
  const time = ',"time":"2026-01-01T00:00:00.000Z"';
  const asPino = (level: AccessLevel) => insides[symbols.asJsonSym]?.(SAMPLE, MESSAGE, LEVELS[level], time);
  const isAlike = (['info', 'debug'] as const).every(
    (level) => asPino(level) === asText(level, time, SAMPLE),
  );
  if (stream === undefined || !isAlike) {
    return (level, line) => log[level](line, MESSAGE);
  }

  let saidAt = 0;
  let said = '';
  const clock = () => {
    const now = Date.now();
    if (now !== saidAt) {
      saidAt = now;
      said = `,"time":"${new Date(now).toISOString()}"`;
    }
    return said;
  };
  return (level, line) => {
    stream.lastLevel = LEVELS[level];
    stream.write(asText(level, clock(), line));
  };
}

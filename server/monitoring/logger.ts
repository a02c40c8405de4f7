import { type DestinationStream, type Level, type Logger, pino, stdSerializers } from 'pino';
import { sourceStack } from './stack.ts';

export type { Logger };

export interface LogOptions {
  level: Level | 'silent';
  /** Also written to this file, which is rotated. */
  file: string | undefined;
  /** A file of this many bytes is closed and a new one begun. */
  fileMaxBytes: number;
  /** So many closed files are kept. */
  fileCount: number;
}

export interface ServerLogger {
  log: Logger;
  /** Writes out what is buffered, synchronously: the last thing before the process ends. */
  flush(): void;
}

/** Lines wait this long at most, in milliseconds, so that many requests share one write. */
const BUFFER_MS = 100;
const BUFFER_BYTES = 64 * 1024;
const WARN = 40;

/** What must never be read in a log, wherever an object that holds it is logged. */
const REDACT = ['authorization', 'cookie', 'password', 'secret', 'token', 'x-api-key', 'set-cookie'].flatMap(
  (name) => {
    const key = name.includes('-') ? `["${name}"]` : name;
    const dot = name.includes('-') ? '' : '.';
    return [key, `*${dot}${key}`, `*.headers${dot}${key}`];
  },
);

/**
 * The process's logger: JSON lines on standard output, or a readable form where that is a terminal.
 *
 * Lines up to `info` are buffered for 100 ms at most; a crash may lose those. Warnings and errors are written at once,
 * and take everything before them along. No worker thread: a bundled server has no file to start one from.
 *
 * @param terminal Whether to write for a person.
 */
export async function createLogger(options: LogOptions, terminal: boolean): Promise<ServerLogger> {
  const output = new LineBuffer(terminal ? await readable() : pino.destination({ fd: 1, sync: false }));
  if (options.file) output.alsoTo(await rotatedFile(options.file, options.fileMaxBytes, options.fileCount));
  const log = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializedError },
      redact: { paths: REDACT, censor: '[redacted]' },
    },
    output,
  );
  output.onFault = (error) =>
    log.error({ err: error }, 'LOG_FILE cannot be written; standard output goes on');
  return { log, flush: () => output.flushSync() };
}

/** pino's own form of an error, with the stack of the sources. */
function serializedError(error: Error) {
  const form = stdSerializers.err(error);
  if (form.stack) form.stack = sourceStack(form.stack);
  return form;
}

type Sink = Pick<DestinationStream, 'write'> & { flushSync?(): void };

/** Collects lines and hands them on together. */
class LineBuffer implements DestinationStream {
  /** Set by pino on streams that ask for it: tells a warning from chatter. */
  lastLevel = 0;
  onFault: (error: Error) => void = () => {};
  #lines = '';
  #timer: NodeJS.Timeout | undefined;
  readonly #main: Sink;
  #file: Sink | undefined;
  #fileFailed = false;

  constructor(main: Sink) {
    Object.assign(this, { [Symbol.for('pino.metadata')]: true });
    this.#main = main;
    // A reader that went away (EPIPE) must not end the server.
    (main as { on?: (event: string, listener: () => void) => void }).on?.('error', () => {});
  }

  alsoTo(file: Sink & NodeJS.EventEmitter): void {
    this.#file = file;
    file.on('error', (error: Error) => {
      if (this.#fileFailed) return;
      this.#fileFailed = true;
      this.onFault(error);
    });
  }

  write(line: string): void {
    this.#lines += line;
    if (this.lastLevel >= WARN || this.#lines.length >= BUFFER_BYTES) this.#pass();
    else this.#timer ??= setTimeout(() => this.#pass(), BUFFER_MS).unref();
  }

  flushSync(): void {
    this.#pass();
    try {
      this.#main.flushSync?.();
    } catch {
      // Standard output is gone or not open yet; there is nobody left to tell.
    }
  }

  #pass(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines === '') return;
    const lines = this.#lines;
    this.#lines = '';
    this.#main.write(lines);
    this.#file?.write(lines);
  }
}

async function readable(): Promise<Sink> {
  const { default: pretty } = await import('pino-pretty');
  const stream = pretty({
    colorize: true,
    sync: true,
    ignore: 'requestId,route',
    translateTime: 'SYS:HH:MM:ss.l',
    messageFormat: (entry, key) => {
      const { method, path, status, durationMs } = entry as Record<string, unknown>;
      return method === undefined ? String(entry[key]) : `${method} ${path} ${status} ${durationMs} ms`;
    },
    hideObject: false,
    customPrettifiers: {},
  });
  // pino-pretty reads one line a write; the buffer passes several.
  return {
    write: (lines) => {
      for (const line of lines.split('\n')) if (line) stream.write(`${line}\n`);
    },
  };
}

async function rotatedFile(file: string, maxBytes: number, count: number) {
  const { createStream } = await import('rotating-file-stream');
  const { basename, dirname, resolve } = await import('node:path');
  return createStream(basename(file), {
    path: resolve(dirname(file)),
    size: `${maxBytes}B`,
    maxFiles: count,
  });
}

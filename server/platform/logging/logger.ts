import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { type DestinationStream, type Level, type Logger, pino, stdSerializers } from 'pino';
import { LogLines, MAX_LINE } from './log-lines.ts';
import { withoutSecrets } from './redaction.ts';
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
  /** What is written, as it is written. */
  lines: LogLines;
  /** Writes out what is buffered, synchronously: the last thing before the process ends. */
  flush(): void;
}

/** Lines wait this long at most, in milliseconds, so that many requests share one write. */
const BUFFER_MS = 100;
const BUFFER_BYTES = 64 * 1024;
/** A file that could not be written is tried again after this time, when there is something to write. In milliseconds. */
const FILE_RETRY_MS = 5_000;
/** The log names who asked for what: the file is for the account of the server alone. */
const FILE_MODE = 0o600;
const WARN = 40;
const ERROR = 50;

/**
 * The process's logger: JSON lines on standard output, or a readable form where that is a terminal.
 *
 * Lines up to `info` are buffered for 100 ms at most; a crash may lose those. Warnings and errors are written at once,
 * and take everything before them along. No worker thread: a bundled server has no file to start one from.
 *
 * @param terminal Whether to write for a person.
 */
export async function createLogger(options: LogOptions, terminal: boolean): Promise<ServerLogger> {
  const file = options.file && (await LogFile.open(options.file, options.fileMaxBytes, options.fileCount));
  const standardOutput = terminal ? await readable() : plain();
  const lines = new LogLines(() => output.pass());
  const output = new LineBuffer(standardOutput, file || undefined, lines);
  const log = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      ...WITHOUT_SECRETS,
    },
    output,
  );
  if (file) {
    file.onChange((err) => {
      if (err) log.error({ err }, 'LOG_FILE cannot be written; the log is on standard output alone');
      else log.warn('LOG_FILE is written again; what is missing in it was on standard output');
    });
  }
  return { log, lines, flush: () => output.flushSync() };
}

/** pino's own form of an error, with the stack of the sources. */
function serializedError(error: Error) {
  const form = stdSerializers.err(error);
  if (typeof form?.stack !== 'string') return form;
  form.stack = sourceStack(form.stack);
  // Taken out here, while it is known where they end: the messages of causes follow them.
  for (let depth = 0, at: unknown = error; at instanceof Error && depth < 5; depth++, at = at.cause) {
    if (!('params' in at)) continue;
    const values = `\nparams: ${at.params}`;
    form.message = form.message.replace(values, '');
    form.stack = form.stack.replace(values, '');
  }
  return form;
}

/** How errors are written, and what is left out of every line. */
export const WITHOUT_SECRETS = {
  serializers: { err: serializedError },
  hooks: { streamWrite: withoutSecrets },
};

/** Takes whole lines, in UTF-8. They are not changed afterwards. */
interface Sink {
  write(lines: Buffer): void;
  flushSync?(): void;
}

/**
 * The log's file: a stream that rotates, and what it has not taken yet, because nothing waits for a stream when a process
 * exits. One write is under way at a time, which Node finishes before it exits; `flushSync` appends what is behind it.
 *
 * A file that cannot be written, as on a full disk, is tried again with a later line; the lines between are on standard
 * output alone.
 */
class LogFile implements Sink {
  readonly #path: string;
  readonly #create: () => Writable;
  #stream: Writable;
  #queued = '';
  #writing = false;
  #failure: Error | undefined;
  #triedAgainAt = 0;
  #onChange: ((failure: Error | undefined) => void) | undefined;

  /** Resolves when the file is open, or cannot be opened: then `onChange` tells. */
  static async open(path: string, maxBytes: number, count: number): Promise<LogFile> {
    const { createStream } = await import('rotating-file-stream');
    const options = { path: resolve(dirname(path)), size: `${maxBytes}B`, maxFiles: count, mode: FILE_MODE };
    const file = new LogFile(path, () => createStream(basename(path), options));
    // One that lies there already may be of another mode, or of another owner, who then knows why.
    await once(file.#stream, 'open')
      .then(() => chmod(path, FILE_MODE))
      .catch(() => {});
    return file;
  }

  private constructor(path: string, create: () => Writable) {
    this.#path = path;
    this.#create = create;
    this.#stream = this.#begin();
  }

  /** @param listener Told once when nothing more is written, and why; and with nothing when it is written again. */
  onChange(listener: (failure: Error | undefined) => void): void {
    this.#onChange = listener;
    if (this.#failure) listener(this.#failure);
  }

  write(lines: Buffer): void {
    if (this.#failure) {
      if (performance.now() < this.#triedAgainAt) return;
      this.#triedAgainAt = performance.now() + FILE_RETRY_MS;
      this.#stream = this.#begin();
      // The last line may have been cut in the middle.
      this.#queued = '\n';
    }
    this.#queued += lines.toString();
    // A turn later: lines that are followed by the end of the process are appended by flushSync instead.
    if (!this.#writing) setImmediate(() => this.#next());
    this.#writing = true;
  }

  flushSync(): void {
    if (this.#failure || this.#queued === '') return;
    const lines = this.#queued;
    this.#queued = '';
    appendFileSync(this.#path, lines, { mode: FILE_MODE });
  }

  #begin(): Writable {
    return this.#create().on('error', (error) => {
      this.#writing = false;
      this.#queued = '';
      this.#triedAgainAt = performance.now() + FILE_RETRY_MS;
      if (this.#failure) return;
      this.#failure = error;
      this.#onChange?.(error);
    });
  }

  #next(): void {
    this.#writing = this.#queued !== '';
    if (!this.#writing) return;
    const lines = this.#queued;
    this.#queued = '';
    this.#stream.write(lines, (error) => {
      if (error) return;
      if (this.#failure) {
        this.#failure = undefined;
        this.#onChange?.(undefined);
      }
      this.#next();
    });
  }
}

/** Collects lines and hands them on together. Every line of the log comes this way, and can be seen from here on. */
class LineBuffer implements DestinationStream {
  /** Set by pino on streams that ask for it: tells a warning from chatter. */
  lastLevel = 0;
  /** A line is put in at once, while its parts are still near the processor. */
  readonly #room = Buffer.allocUnsafeSlow(BUFFER_BYTES + 3 * MAX_LINE);
  #used = 0;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #main: Sink;
  readonly #file: LogFile | undefined;
  readonly #lines: LogLines;

  constructor(main: Sink, file: LogFile | undefined, lines: LogLines) {
    Object.assign(this, { [Symbol.for('pino.metadata')]: true });
    this.#main = main;
    this.#file = file;
    this.#lines = lines;
  }

  write(line: string): void {
    const isError = this.lastLevel >= ERROR;
    if (line.length > MAX_LINE) {
      this.pass();
      this.#handOn(Buffer.from(line), 1, isError);
      return;
    }
    this.#used += this.#room.write(line, this.#used);
    this.#count++;
    if (this.lastLevel >= WARN || this.#used >= BUFFER_BYTES) this.pass(isError);
    else this.#timer ??= setTimeout(() => this.pass(), BUFFER_MS).unref();
  }

  flushSync(): void {
    this.pass();
    for (const sink of [this.#main, this.#file]) {
      try {
        sink?.flushSync?.();
      } catch {
        // Standard output is gone or not open yet, or the disk is full; there is nobody left to tell.
      }
    }
  }

  /** Hands on what has been collected. */
  pass(endsInError = false): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#count === 0) return;
    const count = this.#count;
    const bytes = Buffer.from(this.#room.subarray(0, this.#used));
    this.#used = 0;
    this.#count = 0;
    this.#handOn(bytes, count, endsInError);
  }

  #handOn(lines: Buffer, count: number, endsInError: boolean): void {
    this.#main.write(lines);
    this.#file?.write(lines);
    this.#lines.add(lines, count, endsInError);
  }
}

function plain(): Sink {
  const stream = pino.destination({ fd: 1, sync: false, contentMode: 'buffer' });
  // A reader that went away (EPIPE) must not end the server.
  stream.on('error', () => {});
  // Its types know strings alone.
  const write = stream.write.bind(stream) as unknown as Sink['write'];
  return { write, flushSync: () => stream.flushSync() };
}

async function readable(): Promise<Sink> {
  const { default: pretty } = await import('pino-pretty');
  const stream = pretty({
    colorize: true,
    sync: true,
    singleLine: true,
    // What the message says is not said again behind it.
    ignore: 'requestId,route,method,path,status,durationMs,from,to,lastedMs',
    translateTime: 'SYS:HH:MM:ss.l',
    messageFormat: (entry, key) => {
      const { method, path, route, status, durationMs, lastedMs } = entry as Record<string, unknown>;
      if (status !== undefined) return `${method} ${path} ${status} ${durationMs} ms`;
      if (method !== undefined) return `${entry[key]}: ${method} ${path ?? route}`;
      return lastedMs === undefined ? String(entry[key]) : `${entry[key]} after ${lastedMs} ms`;
    },
  });
  // pino-pretty reads one line a write; the buffer passes several.
  return {
    write: (lines) => {
      for (const line of lines.toString().split('\n')) if (line) stream.write(`${line}\n`);
    },
  };
}

import { type Level, type Logger, pino, stdSerializers } from 'pino';
import { causesOf } from '../lib/causes.ts';
import { LineBuffer, type Sink } from './line-buffer.ts';
import { LogFile } from './log-file.ts';
import { LogLines } from './log-lines.ts';
import { withoutSecrets } from './redaction.ts';
import { sourceStack } from './stack.ts';

export type { Logger };

export interface LogOptions {
  level: Level | 'silent';
  /** Also written to this file, which is rotated. */
  file: string | undefined;
  /** A file of this many bytes is closed and a new one begun. */
  fileMaxBytes: number;
  /** How many closed files are kept. */
  fileCount: number;
}

export interface ServerLogger {
  log: Logger;
  /** The lines, as they are written. */
  lines: LogLines;
  /** Writes what is buffered, synchronously: the last thing before the process exits. */
  flush(): void;
}

/**
 * The process's logger: JSON lines on standard output, or a readable form where that is a terminal.
 *
 * Lines up to `info` are buffered for 100 ms at most; a crash may lose those. Warnings and errors are written at once,
 * together with everything before them. No worker thread: a bundled server has no file to start one from.
 *
 * @param terminal Whether to write for a person.
 */
export async function createLogger(options: LogOptions, terminal: boolean): Promise<ServerLogger> {
  const { file: path, fileMaxBytes, fileCount } = options;
  const onFile = (err: Error | undefined) => {
    if (err) log.error({ err }, 'LOG_FILE cannot be written; the log is on standard output alone');
    else log.warn('LOG_FILE is written again; the lines it lacks are on standard output');
  };
  const file = path ? [new LogFile(path, fileMaxBytes, fileCount, onFile)] : [];
  const lines = new LogLines(() => output.pass());
  const output = new LineBuffer([terminal ? await readable() : plain(), ...file], lines);
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
  return { log, lines, flush: () => output.flushSync() };
}

/** pino's own form of an error, with the stack of the sources. */
function serializedError(error: Error) {
  const form = stdSerializers.err(error);
  if (typeof form?.stack !== 'string') return form;
  form.stack = sourceStack(form.stack);
  // Removed here, where their end is known: the messages of causes follow them.
  for (const cause of causesOf(error)) {
    if (!('params' in cause)) continue;
    const values = `\nparams: ${cause.params}`;
    form.message = form.message.replace(values, '');
    form.stack = form.stack.replace(values, '');
  }
  return form;
}

/** How errors are written, and what is removed from every line. */
export const WITHOUT_SECRETS = {
  serializers: { err: serializedError },
  hooks: { streamWrite: withoutSecrets },
};

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
    // The message has these already.
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

import type { DestinationStream } from 'pino';
import { type LogLines, MAX_LINE } from './log-lines.ts';

/** Where lines are written to. */
export interface Sink {
  /** @param lines In UTF-8. They are not changed afterwards. */
  write(lines: Buffer): void;
  flushSync?(): void;
}

/** The longest that a line waits, in milliseconds, so that many requests share one write. */
const BUFFER_MS = 100;
const BUFFER_BYTES = 64 * 1_024;
const WARN = 40;
const ERROR = 50;

/** Collects lines and writes them together. */
export class LineBuffer implements DestinationStream {
  /** Set by pino before each write, as `pino.metadata` asks for. */
  lastLevel = 0;
  readonly #room = Buffer.allocUnsafeSlow(BUFFER_BYTES + 3 * MAX_LINE);
  #used = 0;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #sinks: readonly Sink[];
  readonly #lines: LogLines;

  /** @param lines Is handed every line as well. */
  constructor(sinks: readonly Sink[], lines: LogLines) {
    Object.assign(this, { [Symbol.for('pino.metadata')]: true });
    this.#sinks = sinks;
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

  /** Writes what has been collected. */
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

  flushSync(): void {
    this.pass();
    for (const sink of this.#sinks) {
      try {
        sink.flushSync?.();
      } catch {
        // Standard output is closed or not open yet, or the disk is full: the log has nowhere to say so.
      }
    }
  }

  #handOn(lines: Buffer, count: number, endsInError: boolean): void {
    for (const sink of this.#sinks) sink.write(lines);
    this.#lines.add(lines, count, endsInError);
  }
}

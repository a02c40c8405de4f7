import type { LogLevel, LogLine } from '#contracts/operations/log.ts';
import { MAX_LINE } from '../../../platform/logging/log-lines.ts';

/** What is kept: so many lines, or what of them fits into so many bytes. */
const MAX_LINES = 1_000;
const MAX_BYTES = 512 * 1_024;

/** pino's levels, in their order. */
const LEVELS: Record<LogLevel, number> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 };
const NAMES = new Map(Object.entries(LEVELS).map(([name, level]) => [level, name as LogLevel]));

export interface LogQuery {
  /** Lines of at least this level. */
  level?: LogLevel | undefined;
  /** Text that a line holds somewhere; case is ignored. */
  search?: string | undefined;
  requestId?: string | undefined;
  /** So many at most: the newest. */
  limit?: number | undefined;
}

/** Lines that were handed on together. */
interface Piece {
  /** Where it begins in the ring. */
  start: number;
  end: number;
  /** Sequence number of its first line. */
  first: number;
  count: number;
}

/**
 * The end of the log, in memory. Lines are kept as the bytes that were written, many together, and taken apart when
 * somebody asks; and in one ring of bytes that is made once. As strings, or as a buffer for each, they would be in the
 * collector's way: a busy server replaces half a megabyte of them several times a second, and what stays for some tenths of
 * one is too old to be collected cheaply.
 */
export class LogTail {
  readonly #ring = Buffer.allocUnsafeSlow(MAX_BYTES);
  /** Where the next lines go. */
  #end = 0;
  /** What the ring holds, oldest first. */
  readonly #pieces: Piece[] = [];
  /** The sequence number of the next line. */
  #next = 1;
  readonly #beforeReading: () => void;
  readonly #listeners = new Set<() => void>();

  /** @param beforeReading Adds what has been logged and not yet handed on. */
  constructor(beforeReading: () => void = () => {}) {
    this.#beforeReading = beforeReading;
  }

  /** The sequence number of the newest line; 0 before the first. */
  get last(): number {
    this.#beforeReading();
    return this.#next - 1;
  }

  /**
   * Takes in lines in UTF-8, each with its line break, and tells whoever waits for them.
   *
   * @param lines Less than `MAX_BYTES` of them, or one alone.
   * @param count How many there are; one alone where it is longer than `MAX_LINE`: such a one would push out all others, and is shortened.
   */
  add(lines: Buffer, count = 1): void {
    const isHuge = count === 1 && lines.length > MAX_LINE;
    const bytes = isHuge ? Buffer.from(shortened(lines.toString())) : lines;
    if (this.#end + bytes.length > MAX_BYTES) {
      // What lies from here to the end of the ring is the oldest, and would come before what is at its beginning.
      this.#forget(this.#end, MAX_BYTES);
      this.#end = 0;
    }
    const start = this.#end;
    const end = start + bytes.length;
    this.#forget(start, end);
    this.#ring.set(bytes, start);
    this.#pieces.push({ start, end, first: this.#next, count });
    this.#end = end;
    this.#next += count;
    for (const listener of this.#listeners) listener();
  }

  /** Lets go of the oldest pieces as long as they begin between the two. */
  #forget(from: number, to: number): void {
    for (;;) {
      const [oldest] = this.#pieces;
      if (oldest === undefined || oldest.start < from || oldest.start >= to) return;
      this.#pieces.shift();
    }
  }

  /** @returns A function that ends the subscription. */
  onLines(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The lines that fit, oldest first. */
  read(query: LogQuery = {}): LogLine[] {
    return this.after(0, query).lines;
  }

  /**
   * The lines behind the one with the sequence number `seq`, as far as they fit and are kept, oldest first.
   *
   * @returns `missed` is how many of those behind `seq` are kept no longer, or would have fitted beyond the limit.
   */
  after(
    seq: number,
    { level, search, requestId, limit = MAX_LINES }: LogQuery = {},
  ): { lines: LogLine[]; missed: number } {
    this.#beforeReading();
    const least = level === undefined ? 0 : LEVELS[level];
    const wanted = search?.toLowerCase();
    const lines: LogLine[] = [];
    const first = Math.max(this.#pieces[0]?.first ?? this.#next, this.#next - MAX_LINES);
    const oldest = Math.max(first, seq + 1);
    let missed = oldest - (seq + 1);
    for (const piece of this.#pieces.toReversed()) {
      if (piece.first + piece.count <= oldest) break;
      const texts = this.#ring.toString('utf8', piece.start, piece.end).split('\n');
      for (let at = piece.count - 1; at >= Math.max(0, oldest - piece.first); at--) {
        const text = texts[at] as string;
        if (levelOf(text) < least) continue;
        if (wanted !== undefined && !text.toLowerCase().includes(wanted)) continue;
        if (requestId !== undefined && !text.includes(requestId)) continue;
        if (lines.length === limit) {
          missed++;
          continue;
        }
        const line = parsed(piece.first + at, text);
        if (requestId === undefined || line.requestId === requestId) lines.push(line);
      }
    }
    return { lines: lines.reverse(), missed };
  }
}

/** pino puts the level first, so a line need not be parsed to be left out. */
function levelOf(text: string): number {
  const [, word = ''] = /^\{"level":"?(\w+)/.exec(text) ?? [];
  return LEVELS[word as LogLevel] ?? Number(word);
}

/** What a line of the log holds besides fields of its own. */
interface Written {
  level: LogLevel | number;
  time: string | number;
  msg?: string;
  requestId?: string;
}

function parsed(seq: number, text: string): LogLine {
  const { level, time, msg, requestId, ...fields }: Written = JSON.parse(text);
  return {
    seq,
    time: typeof time === 'number' ? new Date(time).toISOString() : time,
    level: typeof level === 'number' ? (NAMES.get(level) ?? 'info') : level,
    message: msg ?? '',
    ...(requestId === undefined ? {} : { requestId }),
    fields,
  };
}

/** The same line with the beginning of what it says, and without all else but what leads to its request. */
function shortened(line: string): string {
  const { level, time, msg = '', requestId }: Written = JSON.parse(line);
  const note = `${msg.slice(0, 1_000)} … (a line of ${line.length} characters, too long to be kept here)`;
  return JSON.stringify({ level, time, requestId, msg: note });
}

import type { LogLevel, LogLine } from '#contracts/monitoring.ts';

/** What is kept: about this many lines, and this many bytes. */
const MOST_LINES = 1_000;
const MOST_BYTES = 512 * 1_024;
/** Of a single line; one that is longer, such as an object that was logged whole, would push out all others. */
export const LONGEST_LINE = 32 * 1_024;

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
  bytes: Buffer;
  /** Sequence number of its first line. */
  first: number;
  count: number;
}

/**
 * The end of the log, in memory. Lines are kept as the bytes that were written, many together, and taken apart when
 * somebody asks. As strings they would be in the collector's way: it copies what stays a while, and a busy server replaces
 * half a megabyte of them several times a second.
 */
export class LogTail {
  readonly #pieces: Piece[] = [];
  #bytes = 0;
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
   * @param lines Not to be changed afterwards.
   * @param count How many there are; one alone where it is longer than `LONGEST_LINE`.
   */
  add(lines: Buffer, count = 1): void {
    const isHuge = count === 1 && lines.length > LONGEST_LINE;
    const bytes = isHuge ? Buffer.from(shortened(lines.toString())) : lines;
    this.#pieces.push({ bytes, first: this.#next, count });
    this.#bytes += bytes.length;
    this.#next += count;
    let [oldest] = this.#pieces;
    // The newest stays, and of the others what is needed to have so many lines.
    while (
      oldest !== undefined &&
      this.#pieces.length > 1 &&
      (this.#bytes > MOST_BYTES || oldest.first + oldest.count <= this.#next - MOST_LINES)
    ) {
      this.#pieces.shift();
      this.#bytes -= oldest.bytes.length;
      [oldest] = this.#pieces;
    }
    for (const listener of this.#listeners) listener();
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
    { level, search, requestId, limit = MOST_LINES }: LogQuery = {},
  ): { lines: LogLine[]; missed: number } {
    this.#beforeReading();
    const least = level === undefined ? 0 : LEVELS[level];
    const wanted = search?.toLowerCase();
    const lines: LogLine[] = [];
    const first = Math.max(this.#pieces[0]?.first ?? this.#next, this.#next - MOST_LINES);
    const oldest = Math.max(first, seq + 1);
    let missed = oldest - (seq + 1);
    for (const piece of this.#pieces.toReversed()) {
      if (piece.first + piece.count <= oldest) break;
      const texts = piece.bytes.toString().split('\n');
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

import type { LogLevel, LogLine } from '#contracts/operations/log.ts';
import { MAX_LINE } from '../../../platform/logging/log-lines.ts';

/** Limits of the tail: lines, and bytes of them. */
const MAX_LINES = 1_000;
const MAX_BYTES = 512 * 1_024;

/** The levels of pino. */
const LEVELS: Record<LogLevel, number> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 };
const NAMES = new Map(Object.entries(LEVELS).map(([name, level]) => [level, name as LogLevel]));

export interface LogQuery {
  /** The minimum level. */
  level?: LogLevel | undefined;
  /** Text in a line, case-insensitive. */
  search?: string | undefined;
  requestId?: string | undefined;
  /** Maximum number of lines, the newest ones. */
  limit?: number | undefined;
}

/** Lines that were written together. */
interface Chunk {
  /** Position in the ring. */
  start: number;
  end: number;
  /** Sequence number of its first line. */
  first: number;
  count: number;
}

/**
 * The end of the log, in memory: the bytes as written, in one ring that is allocated once, parsed on demand. Strings or separate
 * buffers would burden the garbage collector: a busy server replaces half a megabyte of them several times a second, and objects
 * that live for some tenths of a second are too old to be collected cheaply.
 */
export class LogTail {
  readonly #ring = Buffer.allocUnsafeSlow(MAX_BYTES);
  /** Position of the next line. */
  #end = 0;
  /** Oldest first. */
  readonly #chunks: Chunk[] = [];
  /** The sequence number of the next line. */
  #next = 1;
  readonly #beforeReading: () => void;
  readonly #listeners = new Set<() => void>();

  /** @param beforeReading Flushes lines that were logged and not added yet. */
  constructor(beforeReading: () => void = () => {}) {
    this.#beforeReading = beforeReading;
  }

  /** The sequence number of the newest line; 0 before the first. */
  get last(): number {
    this.#beforeReading();
    return this.#next - 1;
  }

  /**
   * Adds lines in UTF-8, each with its line break, and calls the listeners.
   *
   * @param lines Less than `MAX_BYTES`, or a single line. A line above `MAX_LINE` comes alone and is shortened: it would evict all others.
   * @param count The number of lines.
   */
  add(lines: Buffer, count = 1): void {
    const isHuge = count === 1 && lines.length > MAX_LINE;
    const bytes = isHuge ? Buffer.from(shortened(lines.toString())) : lines;
    if (this.#end + bytes.length > MAX_BYTES) {
      // The chunks from here to the end of the ring are the oldest ones.
      this.#forget(this.#end, MAX_BYTES);
      this.#end = 0;
    }
    const start = this.#end;
    const end = start + bytes.length;
    this.#forget(start, end);
    this.#ring.set(bytes, start);
    this.#chunks.push({ start, end, first: this.#next, count });
    this.#end = end;
    this.#next += count;
    for (const listener of this.#listeners) listener();
  }

  /** Removes the oldest chunks while they begin between two positions. */
  #forget(from: number, to: number): void {
    for (;;) {
      const { start = -1 } = this.#chunks[0] ?? {};
      if (start < from || start >= to) return;
      this.#chunks.shift();
    }
  }

  /** @returns A function that ends the subscription. */
  onLines(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Matching lines, oldest first. */
  read(query: LogQuery = {}): LogLine[] {
    return this.after(0, query).lines;
  }

  /**
   * Matching lines after sequence number `seq`, oldest first.
   *
   * @returns `missed`: lines after `seq` that were evicted, and matching lines beyond the limit.
   */
  after(
    seq: number,
    { level, search = '', requestId = '', limit = MAX_LINES }: LogQuery = {},
  ): { lines: LogLine[]; missed: number } {
    this.#beforeReading();
    const minLevel = level === undefined ? 0 : LEVELS[level];
    const wanted = search.toLowerCase();
    const lines: LogLine[] = [];
    const first = Math.max(this.#chunks[0]?.first ?? this.#next, this.#next - MAX_LINES);
    const oldest = Math.max(first, seq + 1);
    let missed = oldest - (seq + 1);
    for (const chunk of this.#chunks.toReversed()) {
      if (chunk.first + chunk.count <= oldest) break;
      const texts = this.#ring.toString('utf8', chunk.start, chunk.end).split('\n');
      for (let at = chunk.count - 1; at >= Math.max(0, oldest - chunk.first); at--) {
        const text = texts[at] as string;
        if (levelOf(text) < minLevel || !text.includes(requestId)) continue;
        if (wanted !== '' && !text.toLowerCase().includes(wanted)) continue;
        const line = lines.length < limit ? parsed(chunk.first + at, text) : undefined;
        if (line === undefined) missed++;
        else if (requestId === '' || line.requestId === requestId) lines.push(line);
      }
    }
    return { lines: lines.reverse(), missed };
  }
}

/** pino writes the level first, so a line that does not match need not be parsed. */
function levelOf(text: string): number {
  const [, word = ''] = /^\{"level":"?(\w+)/.exec(text) ?? [];
  return LEVELS[word as LogLevel] ?? Number(word);
}

/** The standard fields of a line. */
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

/** The line with the beginning of its message and without its other fields, except the request id. */
function shortened(line: string): string {
  const { level, time, msg = '', requestId }: Written = JSON.parse(line);
  const note = `${msg.slice(0, 1_000)} … (shortened: the line has ${line.length} characters)`;
  return JSON.stringify({ level, time, requestId, msg: note });
}

import type { LogLevel, LogLine } from '#contracts/monitoring.ts';

/** What is kept: this many lines, and this many characters, which are a byte each or, rarely, two. */
const MOST_LINES = 1_000;
const MOST_CHARACTERS = 512 * 1_024;
/** Of a single line; one that is longer, such as an object that was logged whole, would push out all others. */
const LONGEST_LINE = 32 * 1_024;

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

/**
 * The end of the log, in memory. Lines are kept as they were written and parsed when somebody asks, so that a line costs
 * the request that wrote it one place in an array.
 */
export class LogTail {
  readonly #lines: string[] = new Array(MOST_LINES).fill('');
  #characters = 0;
  /** Sequence numbers: of the oldest line that is kept, and of the next one. */
  #first = 1;
  #next = 1;
  readonly #listeners = new Set<() => void>();

  /** The sequence number of the newest line; 0 before the first. */
  get last(): number {
    return this.#next - 1;
  }

  /** Takes in one line, with or without its line break. */
  add(line: string): void {
    const kept = line.length > LONGEST_LINE ? shortened(line) : line;
    const place = this.#next % MOST_LINES;
    if (this.#next - this.#first === MOST_LINES) this.#drop();
    this.#lines[place] = kept;
    this.#characters += kept.length;
    this.#next++;
    while (this.#characters > MOST_CHARACTERS) this.#drop();
  }

  /** Lines have been handed on: whoever waits for them may look. The log says so for many lines together. */
  passed(): void {
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
    const least = level === undefined ? 0 : LEVELS[level];
    const wanted = search?.toLowerCase();
    const lines: LogLine[] = [];
    const oldest = Math.max(this.#first, seq + 1);
    let missed = oldest - (seq + 1);
    for (let at = this.#next - 1; at >= oldest; at--) {
      const text = this.#lines[at % MOST_LINES] as string;
      if (levelOf(text) < least) continue;
      if (wanted !== undefined && !text.toLowerCase().includes(wanted)) continue;
      if (requestId !== undefined && !text.includes(requestId)) continue;
      if (lines.length === limit) {
        missed++;
        continue;
      }
      const line = parsed(at, text);
      if (requestId === undefined || line.requestId === requestId) lines.push(line);
    }
    return { lines: lines.reverse(), missed };
  }

  #drop(): void {
    const place = this.#first % MOST_LINES;
    this.#characters -= (this.#lines[place] as string).length;
    this.#lines[place] = '';
    this.#first++;
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

import { Durations } from './durations.ts';
import { Slowest } from './slowest.ts';

/** Upper bounds in seconds: those that OpenTelemetry gives for `db.client.operation.duration`. */
const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
/** Operations with a label of their own. */
const OPERATION = /^\s*(select|insert|update|delete)\b/i;
const MOST_SLOW = 20;
/** Of a statement that is shown, in characters. */
const LONGEST_STATEMENT = 500;

export interface SlowQuery {
  /** When it ended, in milliseconds since 1970. */
  at: number;
  ms: number;
  statement: string;
  operation: string;
  failed: boolean;
}

/** What the database was asked since start: how often, how long that took, and the slowest of the last hour. */
export class Queries {
  readonly slowest = new Slowest<SlowQuery>(MOST_SLOW);
  /** Waiting for a connection of the pool. */
  readonly acquires = new Durations(BUCKETS);
  readonly #series = new Map<
    string,
    { labels: { operation: string; outcome: string }; durations: Durations }
  >();

  /**
   * Counts one statement.
   *
   * @param text As it was sent, with placeholders.
   * @param ms Until it was answered or failed, in milliseconds.
   */
  add(text: string, ms: number, failed: boolean): void {
    const operation = OPERATION.exec(text)?.[1]?.toLowerCase() ?? 'other';
    const outcome = failed ? 'error' : 'ok';
    const key = `${operation} ${outcome}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels: { operation, outcome }, durations: new Durations(BUCKETS) };
      this.#series.set(key, series);
    }
    series.durations.add(ms);
    if (ms > this.slowest.bar) {
      this.slowest.add({ at: Date.now(), ms, statement: withoutValues(text), operation, failed });
    }
  }

  /** By operation and outcome. */
  series() {
    return this.#series.values();
  }
}

/**
 * What stands in a statement besides its words, from left to right, because each kind may hold what looks like another:
 * comments, dollar-quoted text, text with escapes, text, names in quotes, numbers.
 */
const PARTS =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$([A-Za-z_]\w*)?\$[\s\S]*?(?:\$\1\$|$)|\b[eE]'(?:[^'\\]|''|\\[\s\S])*(?:'|$)|'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|(?<![\w$])\d+(?:\.\d+)?(?!\w)/g;

/** A statement as it may be shown: values and remarks that somebody wrote into its text are left out. */
export function withoutValues(text: string): string {
  return text
    .slice(0, 4 * LONGEST_STATEMENT)
    .replace(PARTS, (part) => {
      if (part.startsWith('"')) return part;
      return part.startsWith('--') || part.startsWith('/*') ? ' ' : '?';
    })
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, LONGEST_STATEMENT);
}

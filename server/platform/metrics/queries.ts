import { Durations } from './durations.ts';

/** Upper bounds in seconds: those that OpenTelemetry gives for `db.client.operation.duration`. */
const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
/** Operations with a label of their own. */
const OPERATION = /^\s*(select|insert|update|delete)\b/i;

/** What the database was asked since start: how often, and how long that took. */
export class Queries {
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
    const operation = operationOf(text);
    const outcome = failed ? 'error' : 'ok';
    const key = `${operation} ${outcome}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels: { operation, outcome }, durations: new Durations(BUCKETS) };
      this.#series.set(key, series);
    }
    series.durations.add(ms);
  }

  /** By operation and outcome. */
  series() {
    return this.#series.values();
  }
}

/** @returns select, insert, update, delete or other. */
export const operationOf = (text: string): string => OPERATION.exec(text)?.[1]?.toLowerCase() ?? 'other';

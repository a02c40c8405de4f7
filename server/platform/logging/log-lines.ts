/** A longer line, such as a large logged object, is passed on alone. In characters. */
export const MAX_LINE = 32 * 1_024;
/** The newest lines are kept until there is a listener: this many bytes. */
const MAX_EARLY_BYTES = 64 * 1_024;

/**
 * @param lines In UTF-8, each with its line break. They are not changed afterwards.
 * @param count How many there are; one alone where it is longer than `MAX_LINE`.
 * @param endsInError Whether the last of them, and no other, is of level `error` or `fatal`.
 */
export type LogListener = (lines: Buffer, count: number, endsInError: boolean) => void;

/** The lines of the log as they are written, for one listener. Without a listener they cost nothing. */
export class LogLines {
  /** Passes what is buffered to the listener, within this call. */
  readonly flush: () => void;
  #early: Parameters<LogListener>[] | undefined = [];
  #earlyBytes = 0;
  #listener: LogListener | undefined;

  /** @param flush Where lines are buffered before they are written. */
  constructor(flush: () => void = () => {}) {
    this.flush = flush;
  }

  /**
   * Passes every line from now on to a listener, and first those that were written while the application was loaded.
   *
   * @param listener Must not throw, and must not log.
   * @returns A function that ends the subscription.
   */
  subscribe(listener: LogListener): () => void {
    if (this.#listener) throw new Error('The log already has its one listener.');
    const early = this.#early ?? [];
    this.#early = undefined;
    this.#listener = listener;
    for (const lines of early) listener(...lines);
    return () => {
      this.#listener = undefined;
    };
  }

  /** Drops the lines kept for a listener: everything that could subscribe is loaded. */
  forgetEarly(): void {
    this.#early = undefined;
  }

  /** Parameters: `LogListener`. */
  add(lines: Buffer, count: number, endsInError: boolean): void {
    if (this.#listener) this.#listener(lines, count, endsInError);
    else if (this.#early) this.#keep(this.#early, lines, count, endsInError);
  }

  #keep(early: Parameters<LogListener>[], ...added: Parameters<LogListener>): void {
    early.push(added);
    this.#earlyBytes += added[0].length;
    while (this.#earlyBytes > MAX_EARLY_BYTES) this.#earlyBytes -= early.shift()?.[0].length ?? 0;
  }
}

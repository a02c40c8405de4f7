/** About 15 MB, in each of the few kinds of window. */
export const MAX_CLIENTS = 100_000;

/** What one client has done in its window. */
export interface Window {
  hits: number;
  /** On the `performance.now()` clock. */
  readonly endsAt: number;
}

/** Fixed windows, one for each client, in bounded memory and without a timer. */
export class FixedWindows {
  readonly #windowMs: number;
  readonly #maxClients: number;
  /** Roughly in the order of their ends, since all are equally long. */
  readonly #windows = new Map<string, Window>();

  /** @param maxClients Clients that are remembered; the one whose window ends next is forgotten for another. */
  constructor(windowMs: number, maxClients = MAX_CLIENTS) {
    this.#windowMs = windowMs;
    this.#maxClients = maxClients;
  }

  get size(): number {
    return this.#windows.size;
  }

  /** Counts one hit. */
  hit(key: string, now: number): Window {
    const known = this.look(key, now);
    if (known !== undefined) {
      known.hits++;
      return known;
    }
    return this.#begin(key, { hits: 1, endsAt: now + this.#windowMs }, now);
  }

  /** Goes on from what was counted elsewhere. @param window Ends no later than one that begins now. */
  note(key: string, window: Window, now: number): void {
    this.#begin(key, window, now);
  }

  #begin(key: string, window: Window, now: number): Window {
    this.#windows.delete(key);
    // Two go for each that comes, so that what a flood has left melts away.
    let looks = 2;
    for (const [oldest, { endsAt }] of this.#windows) {
      if (looks-- === 0 || (endsAt > now && this.#windows.size < this.#maxClients)) break;
      this.#windows.delete(oldest);
    }
    this.#windows.set(key, window);
    return window;
  }

  look(key: string, now: number): Window | undefined {
    const window = this.#windows.get(key);
    return window !== undefined && window.endsAt > now ? window : undefined;
  }
}

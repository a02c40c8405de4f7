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

  /** @param maxClients Beyond so many clients, the one whose window ends next is dropped for a new one. */
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
    if (known === undefined) return this.set(key, { hits: 1, endsAt: now + this.#windowMs }, now);
    known.hits++;
    return known;
  }

  look(key: string, now: number): Window | undefined {
    const window = this.#windows.get(key);
    return window !== undefined && window.endsAt > now ? window : undefined;
  }

  /** Continues from what was counted elsewhere. @param window Ends no later than one that begins now. */
  set(key: string, window: Window, now: number): Window {
    this.#windows.delete(key);
    // Two are dropped for each that comes, so the memory of a flood shrinks again.
    let looks = 2;
    for (const [oldest, { endsAt }] of this.#windows) {
      if (looks-- === 0 || (endsAt > now && this.#windows.size < this.#maxClients)) break;
      this.#windows.delete(oldest);
    }
    this.#windows.set(key, window);
    return window;
  }
}

import { DatabaseUnavailableError } from './unavailable.ts';

interface Waiter {
  since: number;
  enter(): void;
  refuse(error: DatabaseUnavailableError): void;
}

/** A semaphore: a number of places, and a queue for them, first come, first served. */
export class AcquireQueue {
  readonly #waiting = new Set<Waiter>();
  readonly #timeoutMs: number;
  readonly #size: number;
  #entered = 0;

  /**
   * @param size The number of places.
   * @param timeoutMs The longest wait for one, in milliseconds.
   */
  constructor(size: number, timeoutMs: number) {
    this.#size = size;
    this.#timeoutMs = timeoutMs;
  }

  get hasRoom(): boolean {
    return this.#entered < this.#size;
  }

  /** Places that are taken. */
  get entered(): number {
    return this.#entered;
  }

  get length(): number {
    return this.#waiting.size;
  }

  /** Since when the first in the queue has waited (`performance.now()`). */
  get firstSince(): number | undefined {
    const [first] = this.#waiting;
    return first?.since;
  }

  /** Takes a place if one is free. @returns Whether one was. */
  tryEnter(): boolean {
    if (!this.hasRoom) return false;
    this.#entered++;
    return true;
  }

  /** Waits for a place. @throws DatabaseUnavailableError when none becomes free in time, or when all are refused. */
  queueUp(): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(late);
        this.#waiting.delete(waiter);
      };
      const waiter: Waiter = {
        since: performance.now(),
        enter: () => {
          end();
          resolve();
        },
        refuse: (error) => {
          end();
          reject(error);
        },
      };
      const late = setTimeout(() => {
        const reason = `pool exhausted: no connection became free within ${this.#timeoutMs} ms; see DB_POOL_SIZE`;
        waiter.refuse(new DatabaseUnavailableError(reason, { retryAfterSeconds: 1 }));
      }, this.#timeoutMs);
      this.#waiting.add(waiter);
    });
  }

  /** Gives a place to the first in the queue, or frees it. */
  leave(): void {
    const [first] = this.#waiting;
    if (first) first.enter();
    else this.#entered--;
  }

  /** Refuses all in the queue. */
  refuse(error: DatabaseUnavailableError): void {
    for (const waiter of this.#waiting) waiter.refuse(error);
  }
}

import { DatabaseUnavailableError } from './unavailable.ts';

interface Waiter {
  since: number;
  enter(): void;
  refuse(error: DatabaseUnavailableError): void;
}

/** How many may be in at once, and those who wait for one of them to leave: first come, first in. */
export class AcquireQueue {
  readonly #waiting = new Set<Waiter>();
  readonly #patienceMs: number;
  readonly #size: number;
  #entered = 0;

  /**
   * @param size How many may be in.
   * @param patienceMs The longest that anybody waits, in milliseconds.
   */
  constructor(size: number, patienceMs: number) {
    this.#size = size;
    this.#patienceMs = patienceMs;
  }

  get hasRoom(): boolean {
    return this.#entered < this.#size;
  }

  /** How many are in. */
  get entered(): number {
    return this.#entered;
  }

  get length(): number {
    return this.#waiting.size;
  }

  /** When the first of those who wait came, in the time of `performance.now()`. */
  get firstSince(): number | undefined {
    const [first] = this.#waiting;
    return first?.since;
  }

  /** Lets one in where there is room. @returns whether there was. */
  tryEnter(): boolean {
    if (!this.hasRoom) return false;
    this.#entered++;
    return true;
  }

  /** Waits for one to leave. @throws DatabaseUnavailableError when none does in time, or when all are refused. */
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
        const reason = `pool exhausted: no connection became free within ${this.#patienceMs} ms; see DB_POOL_SIZE`;
        waiter.refuse(new DatabaseUnavailableError(reason, { retryAfterSeconds: 1 }));
      }, this.#patienceMs);
      this.#waiting.add(waiter);
    });
  }

  /** Whoever has been in leaves the place to the first who waits. */
  leave(): void {
    const [first] = this.#waiting;
    if (first) first.enter();
    else this.#entered--;
  }

  /** Sends away all who wait. */
  refuse(error: DatabaseUnavailableError): void {
    for (const waiter of this.#waiting) waiter.refuse(error);
  }
}

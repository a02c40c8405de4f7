import { apartFromRequests } from '../../platform/lib/request-work.ts';
import type { Events, Platform } from '../../platform/parts.ts';

/** What operators' pages are told on. */
export const TOPIC = 'jobs';
/** One event for all that changes within so many milliseconds; by then most of it is committed. */
const TOGETHER_MS = 500;

/** Tells the pages of operators that jobs have changed: an event at most twice a second, and none where nothing happens. */
export class Notice {
  readonly #database: Platform['database'];
  readonly #log: Platform['log'];
  readonly #events: Events | undefined;
  #pending: NodeJS.Timeout | undefined;

  constructor({ database, log }: Pick<Platform, 'database' | 'log'>, events: Events | undefined) {
    this.#database = database;
    this.#log = log;
    this.#events = events;
  }

  changed(): void {
    const events = this.#events;
    if (!events || this.#pending) return;
    this.#pending = apartFromRequests(() => setTimeout(() => this.#tell(events), TOGETHER_MS).unref());
  }

  end(): void {
    clearTimeout(this.#pending);
  }

  #tell(events: Events): void {
    this.#pending = undefined;
    // Pages look by themselves now and then: an event may be lost.
    this.#database
      .transaction((tx) => events.publish(tx, TOPIC, null))
      .catch((err) => this.#log.debug({ err }, 'jobs: pages could not be told of a change'));
  }
}

import type { Level } from 'pino';
import type { Logger } from '../../../platform/logging/logger.ts';

type AnyLevel = Level | 'silent';

/** Changes the level of the log for a limited time, because a level that must be reset by hand stays. */
export class LogLevelSwitch {
  readonly configured: AnyLevel;
  readonly #log: Logger;
  readonly #loggers: Logger[];
  #until: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param log Also logs the change. @param others Its child loggers: in pino each has its own level. */
  constructor(log: Logger, ...others: Logger[]) {
    this.configured = log.level as AnyLevel;
    this.#log = log;
    this.#loggers = [log, ...others];
  }

  /** The current level, the configured level, and when the current one ends; null if it has no end. */
  now(): { level: AnyLevel; configured: AnyLevel; until: string | null } {
    // A timer does not count the time in which the process was frozen.
    if (this.#until !== undefined && Date.now() >= this.#until) this.reset();
    const until = this.#until === undefined ? null : new Date(this.#until).toISOString();
    return { level: this.#log.level as AnyLevel, configured: this.configured, until };
  }

  /** @param forMs Duration in milliseconds. */
  change(level: Level, forMs: number): void {
    this.#set(level, { minutes: Math.round(forMs / 60_000) });
    this.#until = Date.now() + forMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.reset(), forMs).unref();
  }

  /** Restores the configured level. */
  reset(): void {
    clearTimeout(this.#timer);
    if (this.#until === undefined) return;
    this.#until = undefined;
    this.#set(this.configured);
  }

  /** Logs the change under the more verbose of the two levels. */
  #set(to: AnyLevel, more?: { minutes: number }): void {
    const what = { from: this.#log.level, to, ...more };
    const text = 'the level of the log changes';
    const before = this.#log.isLevelEnabled('warn');
    if (before) this.#log.warn(what, text);
    for (const logger of this.#loggers) logger.level = to;
    if (!before) this.#log.warn(what, text);
  }
}

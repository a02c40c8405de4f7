import type { Level } from 'pino';
import type { Logger } from '../../../platform/logging/logger.ts';

type AnyLevel = Level | 'silent';

/**
 * The log's level while the process runs: it can be changed for a while, and goes back by itself. A level that somebody
 * has to put back is a level that stays.
 */
export class LogLevelSwitch {
  readonly configured: AnyLevel;
  readonly #log: Logger;
  readonly #loggers: Logger[];
  #until: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param log Says what changes. @param others Loggers that were made from it; pino lets each have a level of its own. */
  constructor(log: Logger, ...others: Logger[]) {
    this.configured = log.level as AnyLevel;
    this.#log = log;
    this.#loggers = [log, ...others];
  }

  /** The level in force, and until when (milliseconds since 1970); undefined: for good. */
  now(): { level: AnyLevel; until: number | undefined } {
    // A timer does not count the time for which a process was frozen.
    if (this.#until !== undefined && Date.now() >= this.#until) this.reset();
    return { level: this.#log.level as AnyLevel, until: this.#until };
  }

  /** @param forMs How long it holds. */
  change(level: Level, forMs: number): void {
    this.#say({ from: this.#log.level, to: level, minutes: Math.round(forMs / 60_000) }, () =>
      this.#set(level),
    );
    this.#until = Date.now() + forMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.reset(), forMs).unref();
  }

  /** Puts it back to what was configured. */
  reset(): void {
    clearTimeout(this.#timer);
    if (this.#until === undefined) return;
    this.#until = undefined;
    this.#say({ from: this.#log.level, to: this.configured }, () => this.#set(this.configured));
  }

  #set(level: AnyLevel): void {
    for (const logger of this.#loggers) logger.level = level;
  }

  /** Said under whichever of the two levels lets more through. */
  #say(what: object, change: () => void): void {
    const before = this.#log.isLevelEnabled('warn');
    if (before) this.#log.warn(what, 'the level of the log changes');
    change();
    if (!before) this.#log.warn(what, 'the level of the log changes');
  }
}

import type { FastifyBaseLogger, FastifyServerOptions } from 'fastify';
import type { Bindings } from 'pino';

type Line = Parameters<FastifyBaseLogger['info']>;

/**
 * The logger of one request, which knows its id.
 *
 * Few requests log anything of their own, and pino's child costs more than what the others do altogether; so it is made
 * by the first line that is written.
 */
class RequestLog {
  readonly #parent: FastifyBaseLogger;
  readonly #bindings: Bindings;
  #child: FastifyBaseLogger | undefined;

  constructor(parent: FastifyBaseLogger, bindings: Bindings) {
    this.#parent = parent;
    this.#bindings = bindings;
  }

  get #own(): FastifyBaseLogger {
    this.#child ??= this.#parent.child(this.#bindings);
    return this.#child;
  }

  get level(): string {
    return this.#parent.level;
  }

  child(...more: Parameters<FastifyBaseLogger['child']>): FastifyBaseLogger {
    return this.#own.child(...more);
  }
  fatal(...line: Line): void {
    this.#own.fatal(...line);
  }
  error(...line: Line): void {
    this.#own.error(...line);
  }
  warn(...line: Line): void {
    this.#own.warn(...line);
  }
  info(...line: Line): void {
    this.#own.info(...line);
  }
  debug(...line: Line): void {
    this.#own.debug(...line);
  }
  trace(...line: Line): void {
    this.#own.trace(...line);
  }
  silent(): void {}
}

/** Fastify's `childLoggerFactory`. */
export const requestLog: NonNullable<FastifyServerOptions['childLoggerFactory']> = (parent, bindings) =>
  new RequestLog(parent, bindings) as unknown as FastifyBaseLogger;

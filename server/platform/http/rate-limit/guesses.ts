import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ProblemError } from '../../lib/problem.ts';
import { Limit, type Window } from './limit.ts';

/** A person mistypes a few times; a client that fails this often is guessing. */
const MAX_FAILURES = 10;

/** How often one client may fail with a secret in a window. */
export class Guesses {
  readonly limit: Limit;
  readonly #pending = new WeakMap<FastifyRequest, { client: string; window: Window }>();
  readonly #logged = new WeakSet<Window>();

  constructor(name: string, windowMs: number) {
    this.limit = new Limit(name, MAX_FAILURES, windowMs);
  }

  /** Counts a failure. @returns The refusal, once there were too many. */
  fail(
    request: FastifyRequest,
    reply: Pick<FastifyReply, 'header'> | undefined,
    client: string,
    now: number,
  ): ProblemError | undefined {
    const window = this.limit.hit(client, now);
    this.#log(request, client, window);
    return this.limit.admit(reply, window.hits, window.endsAt - now);
  }

  /**
   * Counts a sign-in as failed before it is checked, so that parallel guesses are no more than sequential ones.
   *
   * @returns The refusal, once there were too many; undefined where it is to be checked, and {@link settle} to be called.
   */
  begin(request: FastifyRequest, reply: FastifyReply, client: string, now: number): ProblemError | undefined {
    const closedForMs = this.limit.closedForMs(client, now);
    if (closedForMs !== undefined) return this.limit.refuse(reply, closedForMs);
    this.#pending.set(request, { client, window: this.limit.hit(client, now) });
    return undefined;
  }

  /**
   * Takes the failure back where the sign-in succeeded, or was not checked: a limit refused it (429), no sign-in is possible
   * this way (403), or the server failed. An aborted sign-in is never settled, and stays counted.
   */
  settle(request: FastifyRequest, status: number): void {
    const pending = this.#pending.get(request);
    if (pending === undefined) return;
    if (status < 400 || status >= 500 || status === 429 || status === 403) pending.window.hits--;
    else this.#log(request, pending.client, pending.window);
  }

  #log(request: FastifyRequest, client: string, window: Window): void {
    if (this.#logged.has(window)) return;
    this.#logged.add(window);
    const { name: limit, windowMs } = this.limit;
    request.log.warn(
      { client, limit },
      `wrong key or failed sign-in from ${client}; further ones are not logged for ${windowMs} ms`,
    );
  }
}

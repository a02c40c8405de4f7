import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ProblemError } from '../../lib/problem.ts';
import type { Window } from './fixed-windows.ts';
import { Limit } from './limit.ts';

/** A person mistypes a few times; a client that is refused as often as this is guessing. */
const MAX_TRIES = 10;

/** How often one client may be wrong about a secret in a window. */
export class Tries {
  readonly limit: Limit;
  readonly #held = new WeakMap<FastifyRequest, { client: string; window: Window }>();
  readonly #warned = new WeakSet<Window>();

  constructor(name: string, windowMs: number) {
    this.limit = new Limit(name, MAX_TRIES, windowMs);
  }

  /** Counts a try that was wrong. @returns Why it is refused unanswered; undefined for one of the first. */
  fail(request: FastifyRequest, reply: FastifyReply, client: string, now: number): ProblemError | undefined {
    const window = this.limit.windows.hit(client, now);
    this.#warn(request, client, window);
    return this.limit.admit(reply, window.hits, window.endsAt - now);
  }

  /**
   * Counts a try as wrong before it is judged, so that many at once are no more than one after the other.
   *
   * @returns Why it is not judged at all; undefined where it is, and to be told of by {@link settle}.
   */
  begin(request: FastifyRequest, reply: FastifyReply, client: string, now: number): ProblemError | undefined {
    const known = this.limit.windows.look(client, now);
    if (known !== undefined && known.hits >= this.limit.max)
      return this.limit.refuse(reply, known.endsAt - now);
    this.#held.set(request, { client, window: this.limit.windows.hit(client, now) });
    return undefined;
  }

  /**
   * Takes a try back that has succeeded, or that was not judged: a limit refused it (429), nobody may sign in this way
   * (403), or the server failed. A try that was broken off is never told of, and stays counted.
   */
  settle(request: FastifyRequest, status: number): void {
    const held = this.#held.get(request);
    if (held === undefined) return;
    if (status < 400 || status >= 500 || status === 429 || status === 403) held.window.hits--;
    else this.#warn(request, held.client, held.window);
  }

  #warn(request: FastifyRequest, client: string, window: Window): void {
    if (this.#warned.has(window)) return;
    this.#warned.add(window);
    const { name: limit, windowMs } = this.limit;
    request.log.warn(
      { client, limit },
      `a wrong key or a failed sign-in from ${client}; others from there are not logged for ${windowMs} ms`,
    );
  }
}

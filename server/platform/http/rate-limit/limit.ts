import type { FastifyReply } from 'fastify';
import { ProblemError } from '../../lib/problem.ts';
import { FixedWindows } from './fixed-windows.ts';

type Reply = Pick<FastifyReply, 'header'>;

/** PostgreSQL's `integer` and Node's timers end here: 24.8 days. */
const MAX_WINDOW_MS = 2_147_483_647;

/** How many requests of one kind a client may make in a window, and the headers that say so. */
export class Limit {
  readonly name: string;
  readonly max: number;
  readonly windowMs: number;
  readonly windows: FixedWindows;
  /** Requests that were refused. */
  refused = 0;
  readonly #policy: string;
  readonly #windowSeconds: number;

  /**
   * @param name Sent in headers.
   * @param max Requests in a window; at least one is let through.
   * @param windowMs In milliseconds; headers name it in whole seconds, rounded up.
   * @throws TypeError for a name that cannot be sent, and for a number out of range.
   */
  constructor(name: string, max: number, windowMs: number) {
    if (!/^[\w-]+$/.test(name))
      throw new TypeError(`The name of limit '${name}' may only have letters, digits, _ and -.`);
    if (!(max > 0)) throw new TypeError(`The limit '${name}' has max ${max}: it must be more than 0.`);
    if (!(windowMs >= 1 && windowMs <= MAX_WINDOW_MS))
      throw new TypeError(`The limit '${name}' has windowMs ${windowMs}: it must be 1 to ${MAX_WINDOW_MS}.`);
    this.name = name;
    this.max = Math.max(1, Math.floor(max));
    this.windowMs = windowMs;
    this.#windowSeconds = seconds(windowMs);
    this.#policy = `"${name}";q=${this.max};w=${this.#windowSeconds}`;
    this.windows = new FixedWindows(windowMs);
  }

  /** @returns The refusal; undefined where the request is admitted. Either way its answer says what is left. */
  admit(reply: Reply, hits: number, endsInMs: number): ProblemError | undefined {
    // No more than the policy says: (now + 60_000) - now can be 60_000.000_000_1, and a store can name an old time.
    const wait = Math.min(seconds(endsInMs), this.#windowSeconds);
    reply.header('ratelimit-policy', this.#policy);
    reply.header('ratelimit', `"${this.name}";r=${Math.max(0, this.max - hits)};t=${wait}`);
    if (hits <= this.max) return undefined;
    this.refused++;
    return new ProblemError(
      'too-many-requests',
      `More than ${this.max} requests of this kind (${this.name}) came from your address. Try again in ${wait} s.`,
      { headers: { 'retry-after': String(wait) } },
    );
  }

  /** How long a client whose window is known to be used up must wait, in milliseconds; undefined for any other client. */
  closedForMs(client: string, now: number): number | undefined {
    const window = this.windows.look(client, now);
    return window !== undefined && window.hits >= this.max ? window.endsAt - now : undefined;
  }

  refuse(reply: Reply, endsInMs: number): ProblemError | undefined {
    return this.admit(reply, Number.POSITIVE_INFINITY, endsInMs);
  }
}

/** Rounded up, so that a client that waits so long finds the window over. */
const seconds = (ms: number) => Math.max(1, Math.ceil(ms / 1_000));

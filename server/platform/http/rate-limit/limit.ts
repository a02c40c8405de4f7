import type { FastifyReply } from 'fastify';
import { ProblemError } from '../../lib/problem.ts';

type Reply = Pick<FastifyReply, 'header'>;

/** PostgreSQL's `integer` and Node's timers end here: 24.8 days. */
const MAX_WINDOW_MS = 2_147_483_647;

/** About 15 MB for each of the few limits. */
const MAX_CLIENTS = 100_000;

/** What one client has done in its window. */
export interface Window {
  hits: number;
  /** On the `performance.now()` clock. */
  readonly endsAt: number;
}

/**
 * How many requests of one kind a client may make in a window, and the headers that say so.
 *
 * Windows are fixed, one for each client, in bounded memory and without a timer.
 */
export class Limit {
  readonly name: string;
  readonly max: number;
  readonly windowMs: number;
  /** Requests that were refused. */
  refused = 0;
  readonly #maxClients: number;
  /** Roughly in the order of their ends, since all are equally long. */
  readonly #windows = new Map<string, Window>();
  readonly #policy: string;
  readonly #windowSeconds: number;

  /**
   * @param name Sent in headers.
   * @param max Requests in a window; at least one is let through.
   * @param windowMs In milliseconds; headers name it in whole seconds, rounded up.
   * @param maxClients Beyond so many clients, the one whose window ends next is dropped for a new one.
   * @throws TypeError for a name that cannot be sent, and for a number out of range.
   */
  constructor(name: string, max: number, windowMs: number, maxClients = MAX_CLIENTS) {
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
    this.#maxClients = maxClients;
  }

  /** Clients with a window. */
  get size(): number {
    return this.#windows.size;
  }

  /** Counts a request. */
  hit(client: string, now: number): Window {
    const known = this.look(client, now);
    if (known === undefined) return this.set(client, { hits: 1, endsAt: now + this.windowMs }, now);
    known.hits++;
    return known;
  }

  look(client: string, now: number): Window | undefined {
    const window = this.#windows.get(client);
    return window !== undefined && window.endsAt > now ? window : undefined;
  }

  /** Continues from what was counted elsewhere. @param window Ends no later than one that begins now. */
  set(client: string, window: Window, now: number): Window {
    this.#windows.delete(client);
    // Two are dropped for each that comes, so the memory of a flood shrinks again.
    let looks = 2;
    for (const [oldest, { endsAt }] of this.#windows) {
      if (looks-- === 0 || (endsAt > now && this.#windows.size < this.#maxClients)) break;
      this.#windows.delete(oldest);
    }
    this.#windows.set(client, window);
    return window;
  }

  /** @returns The refusal; undefined where the request is admitted. Either way `reply` says what is left. */
  admit(reply: Reply | undefined, hits: number, endsInMs: number): ProblemError | undefined {
    // No more than the policy says: (now + 60_000) - now can be 60_000.000_000_1, and a store can name an old time.
    const wait = Math.min(seconds(endsInMs), this.#windowSeconds);
    reply?.header('ratelimit-policy', this.#policy);
    reply?.header('ratelimit', `"${this.name}";r=${Math.max(0, this.max - hits)};t=${wait}`);
    if (hits <= this.max) return undefined;
    this.refused++;
    return new ProblemError(
      'too-many-requests',
      `More than ${this.max} requests of this kind (${this.name}) came from you. Try again in ${wait} s.`,
      { headers: { 'retry-after': String(wait) } },
    );
  }

  /** How long a client whose window is known to be used up must wait, in milliseconds; undefined for any other client. */
  closedForMs(client: string, now: number): number | undefined {
    const window = this.look(client, now);
    return window !== undefined && window.hits >= this.max ? window.endsAt - now : undefined;
  }

  refuse(reply: Reply, endsInMs: number): ProblemError | undefined {
    return this.admit(reply, Number.POSITIVE_INFINITY, endsInMs);
  }
}

/** Rounded up, so that a client that waits so long finds the window over. */
const seconds = (ms: number) => Math.max(1, Math.ceil(ms / 1_000));

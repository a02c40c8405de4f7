import { ProblemError } from '../../lib/problem.ts';
import { sendLine } from '../quick-response.ts';
import { FixedWindows } from './fixed-windows.ts';

type Reply = Parameters<typeof sendLine>[0];

/** PostgreSQL's `integer` and Node's timers end here: 24.8 days. */
const MAX_WINDOW_MS = 2_147_483_647;

/** One kind of request, how many of them a client may make in a window, and the headers that say so. */
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
   * @throws TypeError for a name that cannot be sent, and for a number that is none.
   */
  constructor(name: string, max: number, windowMs: number) {
    if (!/^[\w-]+$/.test(name))
      throw new TypeError(`A limit cannot be called '${name}': letters, digits, _ and - alone.`);
    if (!(max > 0)) throw new TypeError(`The limit '${name}' lets ${max} requests through: one at least.`);
    if (!(windowMs >= 1 && windowMs <= MAX_WINDOW_MS))
      throw new TypeError(`The window of the limit '${name}' is ${windowMs} ms: 1 to ${MAX_WINDOW_MS}.`);
    this.name = name;
    this.max = Math.max(1, Math.floor(max));
    this.windowMs = windowMs;
    this.#windowSeconds = seconds(windowMs);
    this.#policy = `"${name}";q=${this.max};w=${this.#windowSeconds}`;
    this.windows = new FixedWindows(windowMs);
  }

  /** @returns Why a request is refused; undefined where it is let through. Either way its answer says what is left. */
  admit(reply: Reply, hits: number, endsInMs: number): ProblemError | undefined {
    if (hits > this.max) return this.refuse(reply, endsInMs);
    this.announce(reply, this.max - hits, endsInMs);
    return undefined;
  }

  refuse(reply: Reply, endsInMs: number): ProblemError {
    this.refused++;
    this.announce(reply, 0, endsInMs);
    const wait = this.#secondsOf(endsInMs);
    return new ProblemError(
      'too-many-requests',
      `More than ${this.max} requests of this kind (${this.name}) came from your address. Try again in ${wait} s.`,
      { headers: { 'retry-after': String(wait) } },
    );
  }

  announce(reply: Reply, remaining: number, endsInMs: number): void {
    sendLine(reply, 'ratelimit-policy', this.#policy);
    sendLine(reply, 'ratelimit', `"${this.name}";r=${digits(remaining)};t=${this.#secondsOf(endsInMs)}`);
  }

  /** No more than the policy says: (now + 60_000) - now can be 60_000.000_000_1, and a store can tell an old time. */
  #secondsOf(ms: number): number {
    return Math.min(seconds(ms), this.#windowSeconds);
  }
}

/** What headers count in. Rounded up, so that a client that waits so long finds the window over. */
const seconds = (ms: number) => Math.max(1, Math.ceil(ms / 1_000));

const LAST_DIGITS = Array.from({ length: 1_000 }, (_, n) => String(n).padStart(3, '0'));

/**
 * What `String(n)` says. V8 keeps the text of a number for the next time; of a large limit each number comes once, and its
 * text would be in the way until the next full collection.
 */
function digits(n: number): string {
  return n < 1_000 ? String(n) : String(Math.floor(n / 1_000)) + LAST_DIGITS[n % 1_000];
}

import { randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Limit, type Window } from '../../../platform/http/rate-limit/limit.ts';
import { ProblemError } from '../../../platform/lib/problem.ts';
import type { AccountService } from '../service.ts';
import { cookiePrefix, hashToken, readSigned, signed } from './cookies.ts';
import { hashFirst } from './passwords.ts';
import { setCookie } from './sessions.ts';

const HOUR_MS = 3_600_000;
const YEAR_SECONDS = 31_536_000;
/** Wrong passwords for one account within an hour, whatever addresses they come from. */
const MAX_FAILURES = 20;

const accountOf = (email: string) => hashToken(email.toLowerCase());

/**
 * Limits guesses at one account that come from many addresses; the limit `sign-in` counts those of one address.
 *
 * The owner is not locked out by the guesses of others: a browser that has signed in before carries a device cookie, whose
 * failures are counted by themselves (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"). An unknown address is
 * counted like a known one.
 */
export class AccountThrottle {
  readonly #service: AccountService;
  readonly #limit = new Limit('account', MAX_FAILURES, HOUR_MS);

  constructor(service: AccountService) {
    this.#service = service;
  }

  /**
   * Counts a failure before the password is checked, so that parallel guesses are no more than sequential ones.
   *
   * @returns The attempt. A success takes the failure back, and so does an error that says nothing of the password.
   * @throws ProblemError `too-many-requests`.
   */
  begin(
    request: FastifyRequest,
    reply: FastifyReply,
    email: string,
  ): {
    /** Checks the password, sooner for a browser that has signed in before. @throws What `fn` throws. */
    check<T>(fn: () => Promise<T>): Promise<T>;
    /** The password is right, but its account does not sign in yet. */
    right(): void;
    succeeded(): void;
  } {
    const now = performance.now();
    const account = accountOf(email);
    const device = this.#device(request);
    const own = device?.startsWith(`${account}.`) ? device : undefined;
    const key = own ?? account;
    const window: Window = this.#limit.hit(key, now);
    const refusal = this.#limit.admit({ header: () => reply }, window.hits, window.endsAt - now);
    if (refusal) {
      window.hits--;
      throw refusal;
    }
    return {
      async check(fn) {
        try {
          return await (own === undefined ? fn() : hashFirst(account, fn));
        } catch (error) {
          if (!(error instanceof ProblemError) || error.kind === 'unavailable') window.hits--;
          throw error;
        }
      },
      right: () => {
        window.hits--;
      },
      succeeded: () => {
        window.hits--;
        this.remember(reply, email);
      },
    };
  }

  #device({ headers }: FastifyRequest): string | undefined {
    return readSigned(headers.cookie, this.#cookie, this.#service.secrets);
  }

  get #cookie(): string {
    return `${cookiePrefix(this.#service.secure)}.device`;
  }

  /** Counts this browser's failures by themselves from now on: it has shown that it is the owner's. */
  remember(reply: FastifyReply, email: string): void {
    const account = accountOf(email);
    const secret = this.#service.secrets[0] as string;
    const nonce = randomBytes(12).toString('base64url');
    setCookie(this.#service, reply, this.#cookie, signed(`${account}.${nonce}`, secret), YEAR_SECONDS);
  }
}

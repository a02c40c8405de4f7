import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError, type ProblemKind } from '../../../platform/lib/problem.ts';
import type { Auth } from '../auth.ts';
import type { AccountService } from '../service.ts';
import { CLIENT_ADDRESS, cookiePrefix, resigned, sessionCookie } from './cookies.ts';

/** What better-auth refuses, by its code: its own texts are never sent. */
const REFUSALS: Record<string, [kind: ProblemKind, detail: string]> = {
  INVALID_EMAIL_OR_PASSWORD: ['unauthorized', 'The address or the password is wrong.'],
  INVALID_EMAIL: ['unauthorized', 'The address or the password is wrong.'],
  INVALID_TWO_FACTOR_COOKIE: ['unauthorized', 'Too much time has passed. Sign in with your password again.'],
  INVALID_CODE: ['unauthorized', 'The code is wrong, or no longer valid.'],
  INVALID_BACKUP_CODE: ['unauthorized', 'The recovery code is wrong, or was used.'],
  TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE: [
    'unauthorized',
    'Too many wrong codes. Sign in with your password again.',
  ],
  ACCOUNT_TEMPORARILY_LOCKED: ['too-many-requests', 'Too many wrong codes. Try again in 15 minutes.'],
  TOTP_ALREADY_ENABLED: ['conflict', 'There is an authenticator app already. Turn it off first.'],
  TOTP_NOT_ENABLED: ['conflict', 'There is no authenticator app yet. Begin to set it up first.'],
  TWO_FACTOR_NOT_ENABLED: ['conflict', 'There is no second factor yet.'],
  BACKUP_CODES_NOT_ENABLED: ['unauthorized', 'The recovery code is wrong, or was used.'],
  BANNED: ['forbidden', 'This account is banned.'],
  UNAUTHORIZED: ['unauthorized', 'Sign in first.'],
  PROVIDER_NOT_FOUND: ['not-found', 'There is no such provider.'],
  CHALLENGE_NOT_FOUND: ['unauthorized', 'Too much time has passed. Begin again.'],
  PASSKEY_NOT_FOUND: ['unauthorized', 'This passkey is not known here.'],
  AUTHENTICATION_FAILED: ['unauthorized', 'The passkey could not be checked. Try again.'],
  USER_NOT_VERIFIED: ['unauthorized', 'Unlock your device to use the passkey.'],
  FAILED_TO_VERIFY_REGISTRATION: ['bad-request', 'The passkey could not be added. Try again.'],
};

export const unauthorized = (detail: string): ProblemError =>
  new ProblemError('unauthorized', detail, { headers: { 'www-authenticate': 'Bearer realm="users"' } });

/** @returns The problem that an error of better-auth is told as; other errors as they are. */
function problemOf(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'APIError') return error;
  const { statusCode, body } = error as { statusCode?: number; body?: { code?: string } };
  const [kind, detail] = REFUSALS[body?.code ?? ''] ?? [];
  if (kind === 'unauthorized') return unauthorized(detail as string);
  if (kind) return new ProblemError(kind, detail as string);
  if (statusCode === undefined || statusCode >= 500) return error;
  if (statusCode === 409) return new ProblemError('conflict', 'Something else changed this. Try again.');
  return new ProblemError('bad-request', 'This is not possible.', { cause: error });
}

/**
 * Calls better-auth in a request's name, and forwards the cookies that it sets.
 *
 * @param call `(auth, headers) => auth.api.…({ headers, returnHeaders: true })`.
 * @param as `fresh`: without the session of this browser, which must not decide who signs in.
 * @throws ProblemError for what it refuses.
 */
export async function callAuth<Result>(
  service: AccountService,
  request: FastifyRequest,
  reply: FastifyReply,
  call: (auth: Auth, headers: Headers) => Promise<{ headers?: Headers | null; response: Result }>,
  as: 'fresh' | 'signed-in' = 'signed-in',
): Promise<Result> {
  const auth = await service.auth();
  const { secure } = service;
  const own = (name: string) =>
    name.startsWith(cookiePrefix(secure)) && (as === 'signed-in' || name !== sessionCookie(secure));
  const headers = new Headers({
    cookie: resigned(request.headers.cookie, service.secrets, own),
    'user-agent': request.headers['user-agent'] ?? '',
    [CLIENT_ADDRESS]: request.ip,
  });
  try {
    const { headers: answered, response } = await call(auth, headers);
    for (const cookie of answered?.getSetCookie() ?? []) reply.header('set-cookie', cookie);
    return response;
  } catch (error) {
    const problem = problemOf(error);
    if (as === 'fresh' && problem instanceof ProblemError && problem.kind === 'unauthorized')
      service.figures.failed();
    throw problem;
  }
}

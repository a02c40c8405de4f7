import { STATUS_CODES } from 'node:http';
import type { Problem } from '#contracts/problem.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json; charset=utf-8';

/** Every kind of problem this server answers with: its status, its title. The key is the end of its `type`. */
const KINDS = {
  validation: [400, 'The request is not valid'],
  'malformed-json': [400, 'The body is not JSON'],
  'bad-request': [400, 'Bad request'],
  unauthorized: [401, 'Unauthorized'],
  reauthenticate: [401, 'Sign in once more'],
  forbidden: [403, 'Forbidden'],
  'cross-site': [403, 'Refused: the request came from another site'],
  'not-found': [404, 'Not found'],
  'method-not-allowed': [405, 'Method not allowed'],
  timeout: [408, 'Request timeout'],
  conflict: [409, 'Conflict'],
  'precondition-failed': [412, 'Precondition failed'],
  'too-large': [413, 'Content too large'],
  'uri-too-long': [414, 'URI too long'],
  'unsupported-media-type': [415, 'Unsupported media type'],
  'range-not-satisfiable': [416, 'Range not satisfiable'],
  misdirected: [421, 'Misdirected request'],
  'precondition-required': [428, 'Precondition required'],
  'too-many-requests': [429, 'Too many requests'],
  'headers-too-large': [431, 'Request header fields too large'],
  internal: [500, 'Internal server error'],
  unavailable: [503, 'Service unavailable'],
  'handler-timeout': [503, 'The answer took too long'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemKind = keyof typeof KINDS;

/**
 * An error that knows how it is to be answered. Whatever is thrown and is not one becomes `internal`: a request id and
 * nothing of the inside. The 4xx of Fastify and its plugins keep their status (platform/http/problems.ts says how they are told).
 */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly kind: ProblemKind;
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: Problem['errors'];

  /**
   * @param kind Decides status, title and type.
   * @param detail For the person who reads it: what happened this time, and what to do. Strangers see it.
   * @param more `headers` to send along (`Retry-After`, `Allow`); `errors` of a validation; `cause` for the log alone.
   */
  constructor(
    kind: ProblemKind,
    detail: string,
    more: { headers?: Record<string, string>; errors?: Problem['errors']; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause });
    this.kind = kind;
    this.headers = more.headers ?? {};
    this.errors = more.errors;
  }

  get statusCode(): number {
    return KINDS[this.kind][0];
  }
}

/** @param path Of the field, such as `body/email`. @returns A 400 about one field. */
export const invalid = (path: string, message: string): ProblemError =>
  new ProblemError('validation', message, { errors: [{ path, message }] });

/** @returns A 503 that asks the client to try again in a second. */
export const unavailable = (detail: string): ProblemError =>
  new ProblemError('unavailable', detail, { headers: { 'retry-after': '1' } });

/**
 * The document for a problem.
 *
 * @param kind What went wrong; or a status that says all there is to say, whose type is then `about:blank` (RFC 9457, 4.2.1).
 * @param where `instance`: the path asked for, without its query (which may hold what nobody should see repeated);
 *   `requestId`: as in the log.
 */
export function problemDocument(
  kind: ProblemKind | number,
  detail: string | undefined,
  where: { instance: string; requestId: string },
  errors?: Problem['errors'],
): Problem {
  const isStatus = typeof kind === 'number';
  const [status, title] = isStatus ? [kind, STATUS_CODES[kind] ?? 'Client error'] : KINDS[kind];
  return {
    type: isStatus ? 'about:blank' : `/problems/${kind}`,
    title,
    status,
    ...(detail ? { detail } : {}),
    instance: where.instance,
    requestId: where.requestId,
    ...(errors ? { errors } : {}),
  };
}

/** A path without its query string. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}

import pg from 'pg';
import { findCause } from '../../lib/causes.ts';

/**
 * The database did not answer, or was known not to. Requests that need it are answered 503 with `Retry-After`.
 *
 * The message may be shown to any client: it names no host, no user and no cause. `reason` is for logs.
 */
export class DatabaseUnavailableError extends Error {
  readonly reason: string;
  readonly retryAfterSeconds: number;

  constructor(reason: string, options: { cause?: unknown; retryAfterSeconds?: number } = {}) {
    super('The database is not available at the moment.', { cause: options.cause });
    this.name = 'DatabaseUnavailableError';
    this.reason = reason;
    this.retryAfterSeconds = options.retryAfterSeconds ?? 2;
  }
}

/** Finds the unavailability in an error or its causes: drizzle wraps what the driver throws. */
export function findUnavailable(error: unknown): DatabaseUnavailableError | undefined {
  return findCause(error, DatabaseUnavailableError);
}

/** SQLSTATEs after which the session is over (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const SESSION_OVER = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '08000', '08003', '08006']);

/**
 * Whether the server ended the session with this answer.
 *
 * PgBouncer reports a lost server as a FATAL protocol violation, while a plain ERROR of the same class is a mistake in
 * a statement; so severity decides where the code does not. (It is translated by some servers, the codes are not.)
 */
export function endsSession(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return false;
  return SESSION_OVER.has(error.code ?? '') || error.severity === 'FATAL' || error.severity === 'PANIC';
}

const TLS_REMEDY =
  'set DATABASE_CA to the certificate of the authority that signed it, or sslmode=require in DATABASE_URL to encrypt without verifying';

/** What an operator should look at, by the code that the driver, the server or the TLS library gives. */
const REMEDIES: Record<string, string> = {
  '28000':
    'the server has no rule that lets this user in; many demand TLS: try sslmode=require in DATABASE_URL',
  '28P01': 'check the user and the password in DATABASE_URL',
  '3D000': 'create the database, or correct its name in DATABASE_URL',
  '53300': 'lower DB_POOL_SIZE, or raise max_connections of the server',
  ECONNREFUSED: 'nothing listens there; check that the server runs, and the host and port in DATABASE_URL',
  ENOENT: 'there is no such socket; check the host in DATABASE_URL',
  ENOTFOUND: 'the host name is not known; check DATABASE_URL',
  DEPTH_ZERO_SELF_SIGNED_CERT: TLS_REMEDY,
  SELF_SIGNED_CERT_IN_CHAIN: TLS_REMEDY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: TLS_REMEDY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: TLS_REMEDY,
  ERR_TLS_CERT_ALTNAME_INVALID: `the certificate is for another host name; use that name in DATABASE_URL, or ${TLS_REMEDY}`,
  CERT_HAS_EXPIRED: 'the certificate of the server has expired; renew it there',
};

/** One line for the log: what stands in the way of a connection, and what to do where that is known. */
export function describeConnectError(error: unknown): string {
  if (error instanceof DatabaseUnavailableError) return error.reason;
  if (!(error instanceof Error)) return String(error);
  // A host with several addresses fails with one error for each of them, and no message of its own.
  const first = error instanceof AggregateError ? ((error.errors[0] as Error | undefined) ?? error) : error;
  const code = (error as NodeJS.ErrnoException).code ?? (first as NodeJS.ErrnoException).code;
  const message = code && !first.message.includes(code) ? `${first.message} (${code})` : first.message;
  const remedy = first.message.includes('does not support SSL')
    ? 'set sslmode=disable in DATABASE_URL if the network between is trusted'
    : code && REMEDIES[code];
  return remedy ? `${message}: ${remedy}` : message;
}

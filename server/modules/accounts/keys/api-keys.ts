import { and, eq, isNull, lt, or, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { FastifyRequest } from 'fastify';
import type { BaseLogger } from 'pino';
import { clientKey } from '../../../platform/http/rate-limit/client-key.ts';
import { Guesses } from '../../../platform/http/rate-limit/guesses.ts';
import { ProblemError } from '../../../platform/lib/problem.ts';
import { apartFromRequests } from '../../../platform/lib/request-work.ts';
import type { Scope } from '../../../platform/parts.ts';
import { hashToken } from '../flows/cookies.ts';
import type { Roles } from '../roles.ts';
import { RecentRows, type UserChanges } from '../sessions/changes.ts';
import { assertMaySignIn } from '../sessions/identity.ts';
import { apiKeys, users } from '../table.ts';
import { isWellFormed, KEY_PREFIX, keyIn } from './format.ts';

/** How often the time of the last use is written, in milliseconds. */
const USED_EVERY_MS = 60_000;
/** About 3 MB. */
const MAX_RECENT = 5_000;

const findKey = (db: NodePgDatabase) =>
  db
    .select({
      id: apiKeys.id,
      userId: apiKeys.userId,
      permissions: apiKeys.permissions,
      expiresAt: apiKeys.expiresAt,
      lastUsedAt: apiKeys.lastUsedAt,
      roles: users.roles,
      bannedAt: users.bannedAt,
      bannedUntil: users.bannedUntil,
      emailVerified: users.emailVerified,
    })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(eq(apiKeys.hash, sql.placeholder('hash')))
    .prepare('api_keys_find');

/** A key with what decides about it of its owner. */
export type KnownKey = Awaited<ReturnType<ReturnType<typeof findKey>['execute']>>[number];

export interface ApiKeyOptions {
  db: NodePgDatabase;
  log: Pick<BaseLogger, 'warn'>;
  changes: UserChanges;
  roles: Pick<Roles, 'permissionsOf'>;
  /** Whether a user must have shown that the address is theirs. */
  requireVerified: boolean;
  /** Of the limit for wrong keys, in milliseconds. */
  windowMs: number;
  prefix?: string | undefined;
}

/** Recognises programs by their keys. */
export class ApiKeys {
  readonly prefix: string;
  readonly #options: ApiKeyOptions;
  readonly #wrong: Guesses;
  readonly #recent: RecentRows<KnownKey>;
  #find: ReturnType<typeof findKey> | undefined;

  constructor(options: ApiKeyOptions) {
    this.prefix = options.prefix ?? KEY_PREFIX;
    this.#options = options;
    this.#wrong = new Guesses('api-keys', options.windowMs);
    this.#recent = new RecentRows(options.changes, MAX_RECENT);
  }

  /**
   * Tells whose program is asking.
   *
   * @returns Undefined where the request has no key of this kind.
   * @throws ProblemError `unauthorized` for a key that is not valid, `too-many-requests` after too many of them from one
   *   address, and `forbidden` where its owner may not sign in, and where no permission is asked for: a key opens nothing
   *   else.
   */
  async identify(request: FastifyRequest, permission?: string): Promise<Scope | undefined> {
    const key = keyIn(request.headers.authorization, this.prefix);
    if (key === undefined) return undefined;
    if (permission === undefined) {
      throw new ProblemError('forbidden', 'API keys are not admitted here: sign in as a person.');
    }
    const known = isWellFormed(key, this.prefix) ? await this.#look(hashToken(key)) : undefined;
    if (known === undefined) throw this.#count(request) ?? refused('This API key is not valid.');
    const now = Date.now();
    const { userId, permissions, expiresAt } = known;
    if (expiresAt !== null && expiresAt.getTime() <= now) throw refused('This API key has expired.');
    assertMaySignIn(known, this.#options.requireVerified);
    this.#used(known, request, now);
    const present = this.#options.roles.permissionsOf(known.roles);
    return { userId, permissions: new Set(permissions.filter((name) => present.has(name))) };
  }

  async #look(hash: string): Promise<KnownKey | undefined> {
    const recent = this.#recent.get(hash);
    return (
      recent ??
      this.#recent.read(hash, async () => {
        this.#find ??= findKey(this.#options.db);
        return (await this.#find.execute({ hash }))[0];
      })
    );
  }

  #count(request: FastifyRequest): ProblemError | undefined {
    const client = clientKey(request.ip, request.socket.remoteAddress);
    return this.#wrong.fail(request, undefined, client, performance.now());
  }

  /** Notes the use, once the request is answered. */
  #used(known: KnownKey, { raw }: FastifyRequest, now: number): void {
    if (known.lastUsedAt !== null && now - known.lastUsedAt.getTime() < USED_EVERY_MS) return;
    known.lastUsedAt = new Date(now);
    const { db, log } = this.#options;
    const before = new Date(now - USED_EVERY_MS);
    const write = () =>
      db
        .update(apiKeys)
        .set({ lastUsedAt: known.lastUsedAt })
        .where(and(eq(apiKeys.id, known.id), or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, before))))
        .then(undefined, (err) => log.warn({ err }, 'the last use of an API key could not be written'));
    raw.once('close', () => void apartFromRequests(write));
  }
}

const refused = (detail: string) =>
  new ProblemError('unauthorized', detail, {
    headers: { 'www-authenticate': 'Bearer realm="users", error="invalid_token"' },
  });

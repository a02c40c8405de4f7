import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { and, count, desc, eq, gt, isNull, lt, or, sql } from 'drizzle-orm';
import type { FastifyRequest } from 'fastify';
import { type ApiKey, endKey, listKeys, makeKey, rotateKey } from '#contracts/accounts/keys.ts';
import type { Database } from '../../../platform/database/pool/pool.ts';
import type { Transaction } from '../../../platform/database/transaction.ts';
import { ProblemError } from '../../../platform/lib/problem.ts';
import type { Brought, Scope } from '../../../platform/parts.ts';
import { hashToken } from '../flows/cookies.ts';
import type { UserChanges } from '../sessions/changes.ts';
import { requireRecentSignIn } from '../sessions/identity.ts';
import { apiKeys, users } from '../table.ts';
import type { ApiKeys } from './api-keys.ts';
import { newKey, startOf } from './format.ts';

/** Keys of one user that have not expired. */
const MAX_KEYS = 50;
/** Expired keys stay on the list for so long. */
const KEEP_EXPIRED = sql`now() - interval '30 days'`;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

type Row = typeof apiKeys.$inferSelect;

export interface KeyRouteOptions {
  database: Pick<Database, 'db' | 'transaction'>;
  keys: ApiKeys;
  permissions: Brought['permissions'];
  changes: Pick<UserChanges, 'changedIn'>;
}

/** The routes of `/api/account/keys`, within `inPerson`: neither a key nor an operator who acts as the user gets here. */
export const keyRoutes: FastifyPluginAsyncTypebox<KeyRouteOptions> = async (app, options) => {
  const { database, keys, permissions, changes } = options;
  const { db } = database;
  const unexpired = or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, sql`now()`));
  const owned = (userId: string, id: string) => and(eq(apiKeys.userId, userId), eq(apiKeys.id, id));

  app.route({
    ...listKeys,
    config: { access: 'user', cors: false },
    async handler(request) {
      const scope = scopeOf(request);
      const rows = await db
        .select()
        .from(apiKeys)
        .where(eq(apiKeys.userId, scope.userId))
        .orderBy(desc(apiKeys.createdAt), desc(apiKeys.id));
      const allowed = [...permissions].filter(([name]) => scope.permissions?.has(name));
      return { items: rows.map(written), permissions: Object.fromEntries(allowed) };
    },
  });

  app.route({
    ...makeKey,
    config: { access: 'user', cors: false },
    async handler(request) {
      const { name, permissions: wanted, expiresInDays } = request.body;
      const scope = scopeOf(request);
      requireRecentSignIn(request);
      const beyond = wanted.filter((one) => !(permissions.has(one) && scope.permissions?.has(one)));
      if (beyond.length > 0) {
        throw new ProblemError('forbidden', `You may not do this yourself: ${beyond.join(', ')}.`);
      }
      const expiresAt = expiresInDays === undefined ? null : new Date(Date.now() + expiresInDays * DAY_MS);
      return database.transaction((tx) =>
        insert(tx, { userId: scope.userId, name, permissions: wanted, expiresAt }),
      );
    },
  });

  app.route({
    ...rotateKey,
    config: { access: 'user', cors: false },
    async handler(request) {
      const { userId } = scopeOf(request);
      requireRecentSignIn(request);
      const { id } = request.params;
      const now = Date.now();
      const overlapEnd = new Date(now + request.body.overlapHours * HOUR_MS);
      return database.transaction(async (tx) => {
        const [old] = await tx
          .select()
          .from(apiKeys)
          .where(and(owned(userId, id), unexpired))
          .for('update');
        if (old === undefined) throw missing(id);
        const { name, permissions: kept, createdAt, expiresAt } = old;
        // As long a life as the old one was given.
        const lifeMs = expiresAt && expiresAt.getTime() - createdAt.getTime();
        const made = await insert(tx, {
          userId,
          name,
          permissions: kept,
          expiresAt: lifeMs === null ? null : new Date(now + lifeMs),
        });
        if (expiresAt === null || expiresAt > overlapEnd) {
          await tx.update(apiKeys).set({ expiresAt: overlapEnd }).where(owned(userId, id));
          changes.changedIn(tx, userId);
        }
        return made;
      });
    },
  });

  app.route({
    ...endKey,
    config: { access: 'user', cors: false },
    async handler(request, reply) {
      const { userId } = scopeOf(request);
      const { id } = request.params;
      await database.transaction(async (tx) => {
        const [ended] = await tx.delete(apiKeys).where(owned(userId, id)).returning({ id: apiKeys.id });
        if (ended === undefined) throw missing(id);
        changes.changedIn(tx, userId);
      });
      return reply.code(204).send(null);
    },
  });

  /** @throws ProblemError `conflict` where the user has too many. */
  async function insert(
    tx: Transaction,
    values: Pick<Row, 'userId' | 'name' | 'permissions' | 'expiresAt'>,
  ): Promise<{ key: string; apiKey: ApiKey }> {
    const { userId } = values;
    // So that two requests at once do not both find room.
    await tx.select({ id: users.id }).from(users).where(eq(users.id, userId)).for('update');
    await tx.delete(apiKeys).where(and(eq(apiKeys.userId, userId), lt(apiKeys.expiresAt, KEEP_EXPIRED)));
    const [has] = await tx
      .select({ keys: count() })
      .from(apiKeys)
      .where(and(eq(apiKeys.userId, userId), unexpired));
    if (has !== undefined && has.keys >= MAX_KEYS) {
      throw new ProblemError('conflict', `You have ${MAX_KEYS} API keys. End one that is not used any more.`);
    }
    const { id, key } = newKey(keys.prefix);
    const [row] = await tx
      .insert(apiKeys)
      .values({ ...values, id, hash: hashToken(key) })
      .returning();
    if (row === undefined) throw new Error('api_keys: an insert returned no row');
    return { key, apiKey: written(row) };
  }

  const written = ({ id, name, permissions: allowed, createdAt, expiresAt, lastUsedAt }: Row): ApiKey => ({
    id,
    name,
    start: startOf(id, keys.prefix),
    permissions: allowed,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt?.toISOString() ?? null,
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
  });
};

function scopeOf({ scope }: FastifyRequest): Scope {
  if (scope === undefined) throw new Error('accounts: a route of users was reached without a scope');
  return scope;
}

const missing = (id: string) => new ProblemError('not-found', `You have no API key ${id}.`);

import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor } from '@fastify/rate-limit';
import { inArray, lt, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { rateLimits } from './table.ts';

/** Expired rows are looked for this often at most, in milliseconds, and removed so many at a time. */
const CLEAN_EVERY_MS = 60_000;
const CLEAN_AT_ONCE = 10_000;
/** More questions than these are not put at a time: where the database is slow, the local limit answers. */
const MAX_IN_FLIGHT = 100;

/**
 * Counts in PostgreSQL what clients ask of all replicas together: one upsert a hit.
 *
 * The database's clock decides when a window ends, so that replicas need not agree on the time.
 *
 * @returns A store for `@fastify/rate-limit`.
 */
export function postgresStore(db: NodePgDatabase): FastifyRateLimitStoreCtor {
  const over = sql`${rateLimits.endsAt} <= now()`;
  const hit = db
    .insert(rateLimits)
    .values({
      key: sql.placeholder('key'),
      hits: 1,
      endsAt: sql`now() + ${sql.placeholder('windowMs')}::integer * interval '1 millisecond'`,
    })
    .onConflictDoUpdate({
      target: rateLimits.key,
      set: {
        hits: sql`case when ${over} then 1 else ${rateLimits.hits} + 1 end`,
        endsAt: sql`case when ${over} then excluded.ends_at else ${rateLimits.endsAt} end`,
      },
    })
    .returning({
      current: rateLimits.hits,
      ttl: sql<number>`ceil(extract(epoch from ${rateLimits.endsAt} - now()) * 1000)::integer`,
    })
    .prepare('rate_limits_hit');

  let cleanedAt = Date.now();
  let underWay = 0;

  async function count(key: string, windowMs: number): Promise<{ current: number; ttl: number }> {
    if (underWay >= MAX_IN_FLIGHT) throw new Error('the database is slower than the requests come');
    underWay++;
    try {
      const [row] = await hit.execute({ key, windowMs });
      if (row === undefined) throw new Error('rate limits: an upsert returned no row');
      return row;
    } finally {
      underWay--;
    }
  }

  /** Goes with a hit, never with a timer: an idle server asks its database nothing. */
  async function clean(): Promise<void> {
    if (Date.now() - cleanedAt < CLEAN_EVERY_MS) return;
    cleanedAt = Date.now();
    const expired = db
      .select({ key: rateLimits.key })
      .from(rateLimits)
      .where(lt(rateLimits.endsAt, sql`now()`))
      .limit(CLEAN_AT_ONCE)
      .for('update', { skipLocked: true });
    await db.delete(rateLimits).where(inArray(rateLimits.key, expired));
  }

  return class implements FastifyRateLimitStore {
    incr(...[key, callback, windowMs]: Parameters<FastifyRateLimitStore['incr']>): void {
      count(key, windowMs).then(
        (row) => {
          callback(null, row);
          clean().catch(() => {});
        },
        (error) => callback(error),
      );
    }
    child(): FastifyRateLimitStore {
      return this;
    }
  };
}

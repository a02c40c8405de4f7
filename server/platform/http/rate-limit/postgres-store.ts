import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor } from '@fastify/rate-limit';
import { inArray, lt, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { atMostEvery } from '../../lib/at-most-every.ts';
import { rateLimits } from './table.ts';

/** How often expired rows are deleted at most, in milliseconds, and how many at a time. */
const CLEAN_EVERY_MS = 60_000;
const CLEAN_AT_ONCE = 10_000;
/** Where the database is slow, hits beyond these are left to the local windows. */
const MAX_IN_FLIGHT = 100;

/**
 * Counts the requests of all replicas together in PostgreSQL: one upsert a hit. The database's clock decides when a window
 * ends, so that replicas need not agree on the time.
 *
 * @returns A store for `@fastify/rate-limit`.
 */
export function postgresStore(db: NodePgDatabase): FastifyRateLimitStoreCtor {
  const isOver = sql`${rateLimits.endsAt} <= now()`;
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
        hits: sql`case when ${isOver} then 1 else ${rateLimits.hits} + 1 end`,
        endsAt: sql`case when ${isOver} then excluded.ends_at else ${rateLimits.endsAt} end`,
      },
    })
    .returning({
      current: rateLimits.hits,
      ttl: sql<number>`ceil(extract(epoch from ${rateLimits.endsAt} - now()) * 1000)::integer`,
    })
    .prepare('rate_limits_hit');

  let inFlight = 0;

  async function count(key: string, windowMs: number): Promise<{ current: number; ttl: number }> {
    if (inFlight >= MAX_IN_FLIGHT) throw new Error(`${MAX_IN_FLIGHT} hits are in flight`);
    inFlight++;
    try {
      const [row] = await hit.execute({ key, windowMs });
      return row as { current: number; ttl: number };
    } finally {
      inFlight--;
    }
  }

  const cleanIfDue = atMostEvery(CLEAN_EVERY_MS, clean, () => {});

  async function clean(): Promise<void> {
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
          cleanIfDue();
        },
        (error) => callback(error),
      );
    }
    child(): FastifyRateLimitStore {
      return this;
    }
  };
}

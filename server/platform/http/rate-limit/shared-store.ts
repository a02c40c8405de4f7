import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Platform } from '../../parts.ts';
import { postgresStore } from './postgres-store.ts';
import type { SharedStore } from './shared-counter.ts';

/** @returns Where all replicas count together, as `RATE_LIMIT_STORE` says; undefined where each counts for itself. */
export async function sharedStore(
  { config, database, log, probeSources: { checks } }: Platform,
  app: FastifyInstance,
): Promise<SharedStore | undefined> {
  if (config.rateLimit.store === 'postgres') return { store: postgresStore(database.db) };
  if (config.rateLimit.store !== 'redis' || config.redisUrl === undefined) return undefined;
  const { connectRedis, redisCheck } = await import('./redis-store.ts');
  const redis = connectRedis(config.redisUrl, log as FastifyBaseLogger);
  app.addHook('onClose', () => redis.disconnect());
  checks.register(redisCheck(redis));
  return { redis };
}

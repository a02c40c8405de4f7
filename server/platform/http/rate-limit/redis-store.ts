/**
 * The connection over which replicas count together in Redis (`RATE_LIMIT_STORE=redis`); loaded for that alone.
 */
import type { FastifyBaseLogger } from 'fastify';
import { Redis } from 'ioredis';
import { type Check, CheckFailure } from '../../health/health-checks.ts';

/** The longest pause between two attempts to connect, in milliseconds. */
const MAX_PAUSE_MS = 2_000;

/**
 * Connects in the background. What is asked while there is no connection fails at once, so that nobody waits for it.
 *
 * @param url As in `redis://user:password@host:6379/0`; `rediss:` for TLS.
 */
export function connectRedis(url: string, log: FastifyBaseLogger): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    retryStrategy: (attempt) => Math.min(attempt * 100, MAX_PAUSE_MS),
  });
  // The limits tell who is away, once; here each attempt would.
  redis.on('error', (error) => log.debug({ err: error }, 'Redis does not answer'));
  return redis;
}

/** Whether Redis answers. It is not required: while it is away each process counts for itself. */
export function redisCheck(redis: Redis): Check {
  let asked: Promise<unknown> | undefined;
  return {
    name: 'redis',
    required: false,
    timeoutMs: 1_000,
    async run() {
      // One question at a time: what a frozen server has not answered would pile up.
      asked ??= redis.ping().finally(() => {
        asked = undefined;
      });
      await asked.catch((cause) => {
        throw new CheckFailure('it cannot be reached: each process counts for itself meanwhile', { cause });
      });
      return undefined;
    },
  };
}

/**
 * The connection over which replicas count together in Redis (`RATE_LIMIT_STORE=redis`); loaded for that alone.
 */
import type { FastifyBaseLogger } from 'fastify';
import { Redis } from 'ioredis';
import { type Check, CheckFailure } from '../../health/health-checks.ts';

/** The longest pause between two attempts to connect, in milliseconds. */
const MAX_PAUSE_MS = 2_000;

/**
 * Connects in the background. Commands fail at once while there is no connection, so that no request waits for one.
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
  // The counter logs an outage once; here each attempt would.
  redis.on('error', (err) => log.debug({ err }, 'Redis is unreachable'));
  return redis;
}

/** Whether Redis answers. It is not required: without it each process counts for itself. */
export function redisCheck(redis: Redis): Check {
  let ping: Promise<unknown> | undefined;
  return {
    name: 'redis',
    required: false,
    timeoutMs: 1_000,
    async run() {
      // One at a time: the pings that a frozen server does not answer would pile up.
      ping ??= redis.ping().finally(() => {
        ping = undefined;
      });
      await ping.catch((cause) => {
        throw new CheckFailure('it cannot be reached: each process counts for itself meanwhile', { cause });
      });
      return undefined;
    },
  };
}

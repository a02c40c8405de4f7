import type { Config } from './config.ts';
import type { Reader } from './reader.ts';

/** Rules that concern more than one of the platform's settings. */
export function checkTogether(config: Config, reader: Reader): void {
  const { rateLimit, redisUrl, metrics, listen, shutdown } = config;
  if (rateLimit.store === 'redis' && !redisUrl && !reader.isRefused('REDIS_URL')) {
    reader.problem(
      'RATE_LIMIT_STORE',
      'is redis, but REDIS_URL is not set',
      'Set REDIS_URL=redis://:password@host:6379, or RATE_LIMIT_STORE=memory.',
    );
  }
  if (redisUrl && rateLimit.store !== 'redis') {
    reader.warn(
      `REDIS_URL is set but unused, because RATE_LIMIT_STORE is ${rateLimit.store}. Set RATE_LIMIT_STORE=redis, or unset REDIS_URL.`,
    );
  }
  if (metrics.port !== undefined && metrics.port === listen.port) {
    reader.problem('METRICS_PORT', `is ${listen.port}, which is PORT`, 'Choose another, such as 9464.');
  }
  if (shutdown.drainDelayMs >= shutdown.timeoutMs) {
    reader.warn(
      `DRAIN_DELAY_MS (${shutdown.drainDelayMs}) leaves nothing of SHUTDOWN_TIMEOUT_MS (${shutdown.timeoutMs}) for requests to finish: reduce it.`,
    );
  }
}

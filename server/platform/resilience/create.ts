import type { BaseLogger } from 'pino';
import type { PlatformConfig } from '../config/config.ts';
import type { HealthChecks } from '../health/health-checks.ts';
import { type DependencyLimits, Resilience } from './resilience.ts';

/**
 * The process's dependencies, as the settings limit them.
 *
 * @param checks Get a row `dependencies` with the first call; one that is not called for now degrades it.
 */
export function createResilience(
  { dependencies: { limits, ...defaults } }: PlatformConfig,
  log: Pick<BaseLogger, 'warn' | 'info'>,
  checks?: HealthChecks,
): Resilience {
  const overrides: Record<string, Partial<DependencyLimits>> = {};
  for (const item of limits) {
    const [name = '', key = '', value] = item.split(/[.=]/);
    overrides[name] = { ...overrides[name], [key]: Number(value) };
  }
  const resilience: Resilience = new Resilience({ defaults, overrides }, log, () =>
    checks?.register({
      name: 'dependencies',
      required: false,
      timeoutMs: 1_000,
      run: () => resilience.judge(),
    }),
  );
  return resilience;
}

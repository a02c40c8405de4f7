import { memoryUsage } from '../lib/memory.ts';
import type { CheckResult, HealthChecks } from './health-checks.ts';
import type { Lifecycle } from './lifecycle.ts';

/** The answer of a probe, without its constant headers. */
export interface ProbeAnswer {
  status: 200 | 503;
  body: Record<string, unknown>;
}

export interface ProbeSources {
  lifecycle: Lifecycle;
  checks: HealthChecks;
  version: string;
  environment: string;
}

/** In seconds: a failing check runs again after one. */
export const PROBE_RETRY_AFTER = '1';

const timestamp = (): string => new Date().toISOString();

/**
 * `/live`: the event loop turns. It depends on nothing else, so that no outage of a dependency restarts a process.
 */
export function live(): ProbeAnswer {
  return {
    status: 200,
    body: { alive: true, timestamp: timestamp(), pid: process.pid, uptime: process.uptime() },
  };
}

/**
 * `/startup`: start-up has finished once. It stays true, whatever happens later.
 *
 * A platform polls nothing else until it is true, so it counts as a question for `lifecycle.ask`.
 */
export function startup({ lifecycle }: ProbeSources): ProbeAnswer {
  const { started, state } = lifecycle;
  if (!started) lifecycle.ask();
  return { status: started ? 200 : 503, body: { started, state, timestamp: timestamp() } };
}

/** `/ready`: send traffic here. Every migration is applied, every required check passes, and the process does not drain. */
export async function ready(sources: ProbeSources): Promise<ProbeAnswer> {
  const { lifecycle, checks } = sources;
  lifecycle.ask();
  const error = notReadyBecause(lifecycle) ?? firstFailure(await checks.read({ requiredOnly: true }));
  // Once more: the state may have changed while a stale check was awaited.
  const late = error ?? notReadyBecause(lifecycle);
  if (late === undefined) return { status: 200, body: { ready: true, timestamp: timestamp() } };
  return {
    status: 503,
    body: { ready: false, error: late, state: lifecycle.state, timestamp: timestamp() },
  };
}

/** `/health`: the state at a glance, and every check by name. */
export async function health(sources: ProbeSources): Promise<ProbeAnswer> {
  const { lifecycle, checks, version, environment } = sources;
  const results = lifecycle.startingUp ? {} : await checks.read();
  const error = notReadyBecause(lifecycle) ?? firstFailure(results);
  const degraded = Object.values(results).some((result) => result.status !== 'passing');
  const { rss, heapTotal, heapUsed, external } = memoryUsage();
  return {
    status: error === undefined ? 200 : 503,
    body: {
      status: error !== undefined ? 'unhealthy' : degraded ? 'degraded' : 'healthy',
      ...(error === undefined ? {} : { error }),
      state: lifecycle.state,
      timestamp: timestamp(),
      version,
      environment,
      uptime: process.uptime(),
      checks: results,
      memory: { rss, heapTotal, heapUsed, external },
    },
  };
}

function notReadyBecause(lifecycle: Lifecycle): string | undefined {
  if (lifecycle.state === 'ready') return undefined;
  return lifecycle.problem ?? `the server is ${lifecycle.state}`;
}

function firstFailure(results: Record<string, CheckResult>): string | undefined {
  for (const [name, result] of Object.entries(results)) {
    if (result.status === 'failing' && (result.required || result.unhealthy))
      return `${name}: ${result.error ?? 'failing'}`;
  }
  return undefined;
}

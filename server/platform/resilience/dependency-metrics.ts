import { counter, gauge, type Metric } from '../metrics/metrics.ts';
import { BREAKER_STATES, type Dependency } from './dependency.ts';
import type { Resilience } from './resilience.ts';

/** What a scrape reads of the services that this process calls. */
export function dependencyMetrics(resilience: Resilience): Metric[] {
  const each = (of: (dependency: Dependency) => number) => () =>
    resilience.dependencies.map((one) => [{ dependency: one.name }, of(one)] as const);
  return [
    counter('dependency_calls_total', 'Calls to other services, by how they ended.', () =>
      resilience.dependencies.flatMap(({ name, outcomes }) =>
        Object.entries(outcomes).map(([outcome, count]) => [{ dependency: name, outcome }, count] as const),
      ),
    ),
    counter(
      'dependency_retries_total',
      'Attempts after the first.',
      each(({ retries }) => retries),
    ),
    resilience.durations,
    gauge(
      'dependency_running_calls',
      'Calls under way.',
      each(({ running }) => running),
    ),
    gauge(
      'dependency_waiting_calls',
      'Calls that wait for one to end.',
      each(({ waiting }) => waiting),
    ),
    gauge('dependency_breaker_state', '1 for the state that the circuit breaker is in.', () =>
      resilience.dependencies.flatMap((one) =>
        BREAKER_STATES.map(
          (state) => [{ dependency: one.name, state }, Number(state === one.state)] as const,
        ),
      ),
    ),
  ];
}

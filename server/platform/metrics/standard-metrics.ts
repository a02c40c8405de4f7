import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { STATES } from '#contracts/status.ts';
import type { CheckResult, HealthChecks } from '../health/health-checks.ts';
import type { ProbeSources } from '../health/probe-documents.ts';
import { heapLimit, memoryUsage } from '../lib/memory.ts';
import { openFilesLimit } from '../lib/open-files.ts';
import { within } from '../lib/within.ts';
import { counter, type Family, gauge, type Measure } from './metrics.ts';

type Counts = Readonly<Record<string, number>>;

/** How long a scrape waits for checks, in milliseconds. */
const CHECKS_MS = 25;

/** One value for each name, under a label. */
export const by = (label: string, counts: Counts): Measure =>
  Object.entries(counts).map(([name, count]) => [{ [label]: name }, count] as const);

/** The lifecycle: build, state, checks, migrations and start-up. */
export function lifecycleMetrics(sources: ProbeSources): Family[] {
  const { lifecycle, checks } = sources;
  return [
    gauge('app_build_info', 'Version, environment and Node; always 1.', () => {
      const { version, environment } = sources;
      return [[{ version, environment, node: process.version }, 1]];
    }),
    gauge('app_state', '1 for the current state of the process.', () =>
      STATES.map((state) => [{ state }, Number(state === lifecycle.state)] as const),
    ),
    gauge('app_ready', '1 where /ready says 200.', async () => {
      const results = Object.values(await recentResults(checks));
      const failing = results.some(({ required, status }) => required && status === 'failing');
      return Number(lifecycle.state === 'ready' && !failing);
    }),
    gauge(
      'app_check_passing',
      '1 for a check that passes, 0.5 where it is degraded, 0 where it fails.',
      async () =>
        Object.entries(await recentResults(checks)).map(
          ([check, { status, required }]) =>
            [
              { check, required: String(required) },
              { passing: 1, degraded: 0.5, failing: 0 }[status],
            ] as const,
        ),
    ),
    gauge('app_migrations', 'Migrations by state; absent before they were read.', () =>
      lifecycle.migrations ? by('state', { ...lifecycle.migrations }) : [],
    ),
    gauge('app_startup_step_duration_seconds', 'Duration of each step of start-up.', () =>
      lifecycle.startup.flatMap(({ step, durationMs }) =>
        durationMs === undefined ? [] : [[{ step }, durationMs / 1_000] as const],
      ),
    ),
  ];
}

/** The process and its runtime. */
export function processMetrics(): Family[] {
  const loop = performance.eventLoopUtilization;
  return [
    counter('process_cpu_seconds_total', 'Processor time.', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    }),
    gauge(
      'process_start_time_seconds',
      'Start of the process, in seconds since 1970.',
      () => performance.timeOrigin / 1_000,
    ),
    gauge('process_resident_memory_bytes', 'Resident memory.', () => memoryUsage().rss),
    gauge('process_open_fds', 'Open files, sockets among them.', () => openFiles() ?? []),
    gauge('process_max_fds', 'Maximum open files.', () => MAX_FILES ?? []),
    gauge('nodejs_heap_size_total_bytes', 'Size of the heap.', () => memoryUsage().heapTotal),
    gauge(
      'nodejs_heap_size_used_bytes',
      'Used part of the heap, garbage included.',
      () => memoryUsage().heapUsed,
    ),
    gauge('nodejs_heap_size_limit_bytes', 'Maximum size of the heap.', () => heapLimit()),
    gauge(
      'nodejs_external_memory_bytes',
      'Memory outside the heap, held by objects in it.',
      () => memoryUsage().external,
    ),
    counter('nodejs_eventloop_time_seconds_total', 'Time of the event loop, by state.', () => {
      const { active, idle } = loop();
      return by('state', { active: active / 1_000, idle: idle / 1_000 });
    }),
  ];
}

/** Results of all checks. Old ones are made anew, and waited for a moment: a scrape is to be quick. */
async function recentResults(checks: HealthChecks): Promise<Record<string, CheckResult>> {
  await within(checks.read(), CHECKS_MS, () => new Error('The checks take longer.')).catch(() => {});
  return checks.recent(Number.POSITIVE_INFINITY);
}

/** @returns Undefined where the system has no /proc. */
function openFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}

const MAX_FILES = openFilesLimit();

import { statfs } from 'node:fs/promises';
import type { Alert } from '#contracts/operations/alerts.ts';
import type { ProcessFigures } from '#contracts/operations/process.ts';
import type { TrafficWindow } from '#contracts/operations/traffic.ts';
import type { HealthChecks } from '../../platform/health/health-checks.ts';
import type { Lifecycle } from '../../platform/health/lifecycle.ts';
import { type Family, gauge } from '../../platform/metrics/metrics.ts';
import type { Observation } from './alert-rules.ts';
import type { Alerts } from './alerts.ts';
import type { ProcessSample } from './traffic/process-samples.ts';
import type { WindowTotals } from './traffic/traffic.ts';

/** Where the rules' figures come from. */
export interface AlertSources {
  traffic: {
    /** What the process used since the tick before. */
    samples: { readonly latest: ProcessSample | undefined };
    figures(): ProcessFigures;
    totals(window: TrafficWindow, now?: number): WindowTotals;
    onTick(listener: (at: number) => void): () => void;
  };
  checks: Pick<HealthChecks, 'recent'>;
  lifecycle: Pick<Lifecycle, 'state'>;
  /** How often the database could not be reached since start. */
  databaseFailures(): number;
  /** Any folder of the disk in question. */
  folder: string;
}

/** All in milliseconds. The rules are judged this often while there are ticks. */
const EVERY_MS = 5_000;
/** What is sampled is judged by its mean over this time. */
const MEAN_MS = 60_000;
/** A disk fills slowly. */
const DISK_EVERY_MS = 60_000;
/** Nobody has asked for readiness since: then nobody knows. */
const READINESS_AGE_MS = 60_000;

interface Sample {
  at: number;
  cpu: number;
  eventLoopDelayMs: number;
  /** Failures of the database since start: at the sample before this one, and at this one. */
  failuresBefore: number;
  failuresSince: number;
}

/**
 * Has the rules judged while requests come or a screen is open, and at no other time. It asks nobody anything but the
 * file system: what is known of readiness is what probes have found.
 *
 * @returns A function that ends it.
 */
export function watchAlerts(alerts: Alerts, sources: AlertSources): () => void {
  const { traffic, checks, lifecycle, databaseFailures, folder } = sources;
  const samples: Sample[] = [];
  let lookedAt = Number.NEGATIVE_INFINITY;
  let diskFree: number | null = null;
  let diskAt = Number.NEGATIVE_INFINITY;

  function lookAtDisk(at: number): void {
    if (Math.abs(at - diskAt) < DISK_EVERY_MS) return;
    diskAt = at;
    freeShareOf(folder).then((share) => {
      diskFree = share;
    });
  }

  /** Keeps the samples of the last minute. */
  function sample(at: number): void {
    const { cpu = 0, eventLoopDelayMs = 0 } = traffic.samples.latest ?? {};
    const before = samples.at(-1)?.failuresSince ?? databaseFailures();
    samples.push({ at, cpu, eventLoopDelayMs, failuresBefore: before, failuresSince: databaseFailures() });
    while (Math.abs(at - (samples[0] as Sample).at) > MEAN_MS) samples.shift();
  }

  function observe(at: number): Observation {
    const { cores, memory, pool } = traffic.figures();
    const { requests, errors, p95Ms, p99Ms } = traffic.totals('5m', at);
    const mean = (value: (one: Sample) => number) =>
      samples.reduce((sum, one) => sum + value(one), 0) / samples.length;
    const required = Object.values(checks.recent(READINESS_AGE_MS)).filter((check) => check.required);
    const known = lifecycle.state === 'ready' && required.length > 0;
    return {
      requests,
      errors,
      p95Ms,
      p99Ms,
      cpu: mean(({ cpu }) => cpu),
      cores,
      memoryUsed: memoryUsed(memory),
      diskFree,
      eventLoopDelayMs: mean(({ eventLoopDelayMs }) => eventLoopDelayMs),
      databaseFailures: databaseFailures() - (samples[0] as Sample).failuresBefore,
      poolWaiting: pool.waiting,
      failingChecks: known ? required.filter(({ status }) => status === 'failing').length : null,
    };
  }

  return traffic.onTick((at) => {
    lookAtDisk(at);
    sample(at);
    if (at >= lookedAt && at - lookedAt < EVERY_MS) return;
    lookedAt = at;
    alerts.look(at, observe(at));
  });
}

/** For a scraper: how each alert stands, and what its rules need to judge the same. */
export function alertMetrics(
  alerts: Alerts,
  { traffic, folder }: Pick<AlertSources, 'traffic' | 'folder'>,
): Family[] {
  return [
    gauge('app_alert_state', '1 for the state that an alert is in.', () =>
      alerts
        .list()
        .flatMap(({ name, severity, state }) =>
          STATES.map((one) => [{ alert: name, severity, state: one }, Number(one === state)] as const),
        ),
    ),
    gauge(
      'app_memory_used_ratio',
      "Share of the memory limit that is in use, or of the heap's, whichever is larger.",
      () => memoryUsed(traffic.figures().memory),
    ),
    {
      name: 'app_disk_free_ratio',
      help: 'Share of the disk that is free.',
      type: 'gauge',
      async read() {
        const value = await freeShareOf(folder);
        return value === null ? [] : [{ value }];
      },
    },
  ];
}

/** For a scraper: what is sampled while requests come or a screen is open. */
export const eventLoopMetrics = (samples: AlertSources['traffic']['samples']): Family[] => [
  gauge(
    'nodejs_eventloop_utilization',
    'Share of the last 2 s in which the event loop worked; none while it rests.',
    () => samples.latest?.eventLoopUtilization ?? [],
  ),
  gauge(
    'nodejs_eventloop_delay_p99_seconds',
    '99th percentile of how late timers were in the last 2 s; none while nothing happens.',
    () => (samples.latest ? samples.latest.eventLoopDelayMs / 1_000 : []),
  ),
];

const STATES: readonly Alert['state'][] = ['ok', 'pending', 'firing', 'resolved'];

const memoryUsed = ({ rss, limit, heapUsed, heapLimit }: ProcessFigures['memory']) =>
  Math.max(heapUsed / heapLimit, limit ? rss / limit : 0);

/** @returns Null where it cannot be told. */
async function freeShareOf(folder: string): Promise<number | null> {
  const found = await statfs(folder).catch(() => undefined);
  return found && found.blocks > 0 ? found.bavail / found.blocks : null;
}

import { statfs } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import type { ProcessFigures } from '#contracts/operations/process.ts';
import type { Database } from '../../platform/database/pool/pool.ts';
import type { HealthChecks } from '../../platform/health/health-checks.ts';
import type { Lifecycle } from '../../platform/health/lifecycle.ts';
import { type Family, gauge } from '../../platform/metrics/metrics.ts';
import type { AlertRule } from '../../platform/parts.ts';
import { type Observation, RULES } from './alert-rules.ts';
import { Alerts, ORDER } from './alerts.ts';
import { Silences } from './silences.ts';
import type { Traffic } from './traffic/traffic.ts';

/** Where the figures of the rules come from. */
export interface AlertSources {
  traffic: Pick<Traffic, 'figures' | 'totals' | 'onTick'> & { samples: Pick<Traffic['samples'], 'latest'> };
  checks: Pick<HealthChecks, 'recent'>;
  lifecycle: Pick<Lifecycle, 'state'>;
  /** How often the database could not be reached since the start. */
  databaseFailures(): number;
  /** Any folder of the disk in question. */
  folder: string;
}

export interface Alerting {
  alerts: Alerts;
  silences: Silences;
}

/** All in milliseconds. The rules are judged at this interval while there are ticks. */
const EVERY_MS = 5_000;
/** Samples are averaged over this time. */
const MEAN_MS = 60_000;
const DISK_EVERY_MS = 60_000;
/** Older results of checks do not count. */
const MAX_READINESS_AGE_MS = 60_000;

interface Sample {
  at: number;
  cpu: number;
  eventLoopDelayMs: number;
  /** Failures of the database since the start: at the previous sample, and at this one. */
  failuresBefore: number;
  failures: number;
}

/**
 * Judges the rules of operations and of all parts until the application closes, and adds their states to the metrics.
 *
 * @throws Error if a rule of a part has the name of one of operations.
 */
export function startAlerting(
  app: FastifyInstance,
  options: Omit<AlertSources, 'databaseFailures'> & {
    database: Database;
    alertRules: readonly AlertRule[];
  },
): Alerting {
  const { database, alertRules } = options;
  const twice = alertRules.find(({ name }) => RULES.some((own) => own.name === name));
  if (twice) throw new Error(`Operations has an alert rule '${twice.name}' of its own: rename the part's.`);
  const sources = { ...options, databaseFailures: () => database.failures };
  const silences = new Silences(database.db, app.log);
  const alerts = new Alerts(app.log, silences, [...RULES, ...alertRules]);
  app.metricsRegistry.add(...alertMetrics(alerts, sources), ...eventLoopMetrics(sources.traffic.samples));
  const stop = watchAlerts(alerts, sources);
  app.addHook('onClose', async () => stop());
  return { alerts, silences };
}

/**
 * Judges the rules while requests come or a screen is open. It queries nothing but the file system: readiness is known from the
 * checks that probes have run.
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
    const failures = databaseFailures();
    const failuresBefore = samples.at(-1)?.failures ?? failures;
    samples.push({ at, cpu, eventLoopDelayMs, failuresBefore, failures });
    while (Math.abs(at - (samples[0] as Sample).at) > MEAN_MS) samples.shift();
  }

  function observe(at: number): Observation {
    const { cores, memory, pool } = traffic.figures();
    const { requests, errors, p95Ms, p99Ms } = traffic.totals('5m', at);
    const mean = (value: (one: Sample) => number) =>
      samples.reduce((sum, one) => sum + value(one), 0) / samples.length;
    const required = Object.values(checks.recent(MAX_READINESS_AGE_MS)).filter((check) => check.required);
    const known = lifecycle.state === 'ready' && required.length > 0;
    return {
      ...{ requests, errors, p95Ms, p99Ms, cores, diskFree },
      cpu: mean(({ cpu }) => cpu),
      memoryUsed: memoryUsed(memory),
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

/** Metrics: the state of each alert, and figures that the same rules need in Prometheus. */
export function alertMetrics(
  alerts: Alerts,
  { traffic, folder }: Pick<AlertSources, 'traffic' | 'folder'>,
): Family[] {
  return [
    gauge('app_alert_state', '1 for the state that an alert is in.', () =>
      alerts
        .list()
        .flatMap(({ name, severity, state }) =>
          ORDER.map((one) => [{ alert: name, severity, state: one }, Number(one === state)] as const),
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

/** Metrics that are sampled while requests come or a screen is open. */
const eventLoopMetrics = (samples: AlertSources['traffic']['samples']): Family[] => [
  gauge(
    'nodejs_eventloop_utilization',
    'Share of the last 2 s in which the event loop worked; absent while idle.',
    () => samples.latest?.eventLoopUtilization ?? [],
  ),
  gauge(
    'nodejs_eventloop_delay_p99_seconds',
    '99th percentile of the event loop delay in the last 2 s; absent while idle.',
    () => (samples.latest ? samples.latest.eventLoopDelayMs / 1_000 : []),
  ),
];

const memoryUsed = ({ rss, limit, heapUsed, heapLimit }: ProcessFigures['memory']) =>
  Math.max(heapUsed / heapLimit, limit ? rss / limit : 0);

/** @returns Null if it cannot be read. */
async function freeShareOf(folder: string): Promise<number | null> {
  const found = await statfs(folder).catch(() => undefined);
  return found && found.blocks > 0 ? found.bavail / found.blocks : null;
}

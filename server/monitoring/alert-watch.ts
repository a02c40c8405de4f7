import { statfs } from 'node:fs/promises';
import type { Figures, Window } from '#contracts/monitoring.ts';
import type { Lifecycle } from '../lifecycle.ts';
import type { Observation } from './alert-rules.ts';
import type { Alerts } from './alerts.ts';
import type { HealthChecks } from './health-checks.ts';
import type { WindowTotals } from './traffic.ts';

/** Where the rules' figures come from. */
export interface AlertSources {
  traffic: {
    figures(): Figures;
    totals(window: Window, now?: number): WindowTotals;
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
  delayMs: number;
  databaseFailures: number;
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
    statfs(folder).then(
      ({ bavail, blocks }) => {
        diskFree = blocks > 0 ? bavail / blocks : null;
      },
      () => {
        diskFree = null;
      },
    );
  }

  /** The samples of the last minute; the first of them is where counting begins. */
  function sample(at: number, { cpu, eventLoop }: Figures): Sample[] {
    samples.push({ at, cpu, delayMs: eventLoop.delayP99Ms, databaseFailures: databaseFailures() });
    while (samples.length > 1 && Math.abs(at - (samples[0] as Sample).at) > MEAN_MS) samples.shift();
    return samples;
  }

  function observe(at: number): Observation {
    const figures = traffic.figures();
    const { cores, memory, pool } = figures;
    const { requests, errors, p95Ms, p99Ms } = traffic.totals('5m', at);
    const before = samples.at(-1)?.databaseFailures ?? 0;
    const minute = sample(at, figures);
    const mean = (value: (one: Sample) => number) =>
      minute.reduce((sum, one) => sum + value(one), 0) / minute.length;
    const [first] = minute as [Sample];
    const required = Object.values(checks.recent(READINESS_AGE_MS)).filter((check) => check.required);
    const known = lifecycle.state === 'ready' && required.length > 0;
    return {
      requests,
      errors,
      p95Ms,
      p99Ms,
      cpu: mean(({ cpu }) => cpu),
      cores,
      memoryUsed: Math.max(memory.heapUsed / memory.heapLimit, memory.limit ? memory.rss / memory.limit : 0),
      diskFree,
      eventLoopDelayMs: mean(({ delayMs }) => delayMs),
      // After a pause all that failed in it counts: there is one sample, and it tells what is new since the last.
      databaseFailures: databaseFailures() - (minute.length > 1 ? first.databaseFailures : before),
      poolWaiting: pool.waiting,
      failingChecks: known ? required.filter(({ status }) => status === 'failing').length : null,
    };
  }

  return traffic.onTick((at) => {
    lookAtDisk(at);
    if (at >= lookedAt && at - lookedAt < EVERY_MS) return;
    lookedAt = at;
    alerts.look(at, observe(at));
  });
}

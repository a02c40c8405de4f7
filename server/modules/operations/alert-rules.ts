import type { AlertRule } from '../../platform/parts.ts';

/** What the rules look at, at one moment. Null: nothing was measured. */
export interface Observation {
  /** Of the last five minutes, as the three that follow. */
  requests: number;
  /** Answers of 500 or more. */
  errors: number;
  p95Ms: number | null;
  p99Ms: number | null;
  /** Cores in use, over the last minute, and cores that this process may use. */
  cpu: number;
  cores: number;
  /** Parts of what there is, 0 to 1: of the memory limit or the heap's, whichever is nearer; of the disk. */
  memoryUsed: number;
  diskFree: number | null;
  /** 99th percentile of the last minute. */
  eventLoopDelayMs: number;
  /** How often the database could not be reached in the last minute, refusals while it is away among them. */
  databaseFailures: number;
  /** How many requests wait for a connection. */
  poolWaiting: number;
  /** How many required checks fail; null where nobody has asked for a while, and before start-up is over. */
  failingChecks: number | null;
}

/** A rule that looks at what operations has observed. The same rules stand in deploy/prometheus/alerts.yml, and a test compares the two. */
export interface Rule extends Omit<AlertRule, 'value'> {
  value(now: Observation): number | null;
}

/** Of fewer requests in five minutes than these, a share or a percentile says nothing: one error in three is 33 %. */
export const MIN_REQUESTS = 50;

const ofEnough = (now: Observation, value: number | null) => (now.requests >= MIN_REQUESTS ? value : null);

/** Each has a part of docs/runbook.md under its name. */
export const RULES: readonly Rule[] = [
  {
    name: 'not-ready',
    summary: 'A required check fails: no traffic should come here',
    severity: 'critical',
    unit: 'checks',
    threshold: 0,
    endsAt: 0,
    forSeconds: 30,
    value: (now) => now.failingChecks,
  },
  {
    name: 'database-failures',
    summary: 'The database could not be reached more than 3 times in a minute',
    severity: 'critical',
    unit: 'failures a minute',
    threshold: 3,
    endsAt: 0,
    forSeconds: 30,
    value: (now) => now.databaseFailures,
  },
  {
    name: 'high-error-rate',
    summary: 'More than 5 % of all answers in five minutes are errors of the server',
    severity: 'critical',
    unit: '%',
    threshold: 5,
    endsAt: 4,
    forSeconds: 60,
    value: (now) => ofEnough(now, (now.errors / now.requests) * 100),
  },
  {
    name: 'slow-responses',
    summary: 'More than 5 % of all answers in five minutes took longer than 2 s',
    severity: 'warning',
    unit: 'ms',
    threshold: 2_000,
    endsAt: 1_800,
    forSeconds: 120,
    value: (now) => ofEnough(now, now.p95Ms),
  },
  {
    name: 'very-slow-responses',
    summary: 'More than 1 % of all answers in five minutes took longer than 5 s',
    severity: 'warning',
    unit: 'ms',
    threshold: 5_000,
    endsAt: 4_500,
    forSeconds: 120,
    value: (now) => ofEnough(now, now.p99Ms),
  },
  {
    name: 'pool-waiting',
    summary: 'Requests wait for a connection to the database',
    severity: 'warning',
    unit: 'requests',
    threshold: 0,
    endsAt: 0,
    forSeconds: 30,
    value: (now) => now.poolWaiting,
  },
  {
    name: 'event-loop-delay',
    summary: 'Every request waits more than 100 ms for its turn',
    severity: 'warning',
    unit: 'ms',
    threshold: 100,
    endsAt: 80,
    forSeconds: 60,
    value: (now) => now.eventLoopDelayMs,
  },
  {
    name: 'high-cpu',
    // JavaScript runs on one core, however many there are.
    summary: 'More than 80 % of the one core that a process can use is in use',
    severity: 'warning',
    unit: '%',
    threshold: 80,
    endsAt: 72,
    forSeconds: 300,
    value: (now) => (now.cpu / Math.min(1, now.cores)) * 100,
  },
  {
    name: 'high-memory',
    summary: 'More than 85 % of the memory limit is in use',
    severity: 'warning',
    unit: '%',
    threshold: 85,
    endsAt: 80,
    forSeconds: 300,
    value: (now) => now.memoryUsed * 100,
  },
  {
    name: 'low-disk',
    summary: 'Less than 20 % of the disk is free',
    severity: 'warning',
    unit: '%',
    threshold: 20,
    below: true,
    endsAt: 22,
    forSeconds: 300,
    value: (now) => (now.diskFree === null ? null : now.diskFree * 100),
  },
];

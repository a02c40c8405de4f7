import type { AlertRule } from '../../platform/parts.ts';

/** What the rules judge, at one moment. Null: nothing was measured. */
export interface Observation {
  /** Requests of the last five minutes; so are the three figures that follow. */
  requests: number;
  /** Responses with status 500 or more. */
  errors: number;
  p95Ms: number | null;
  p99Ms: number | null;
  /** Cores in use, mean of the last minute; and cores that this process may use. */
  cpu: number;
  cores: number;
  /** Share of the memory limit or of the heap limit, whichever is larger: 0 to 1. */
  memoryUsed: number;
  /** Share of the disk: 0 to 1. */
  diskFree: number | null;
  /** 99th percentile of the last minute. */
  eventLoopDelayMs: number;
  /** Failed connections in the last minute, including requests that were refused meanwhile. */
  databaseFailures: number;
  /** Requests that wait for a connection. */
  poolWaiting: number;
  /** Required checks that fail. Null before start-up is complete, and when no probe came in the last minute. */
  failingChecks: number | null;
}

/** A rule over an observation. deploy/prometheus/alerts.yml has the same rules; a test compares the two. */
export interface Rule extends Omit<AlertRule, 'value'> {
  value(now: Observation): number | null;
}

/** With fewer requests in five minutes, a share or a percentile means nothing: one error in three is 33%. */
export const MIN_REQUESTS = 50;

const ofEnough = (now: Observation, value: number | null) => (now.requests >= MIN_REQUESTS ? value : null);

type Limits = Pick<Rule, 'unit' | 'threshold' | 'below' | 'endsAt' | 'forSeconds'>;

const rule =
  (severity: Rule['severity']) =>
  (name: string, summary: string, limits: Limits, value: Rule['value']): Rule => ({
    name,
    summary,
    severity,
    ...limits,
    value,
  });
const critical = rule('critical');
const warning = rule('warning');

/** Each has a section of docs/runbook.md under its name. */
export const RULES: readonly Rule[] = [
  critical(
    'not-ready',
    'A required check fails: send no traffic here',
    { unit: 'checks', threshold: 0, endsAt: 0, forSeconds: 30 },
    (now) => now.failingChecks,
  ),
  critical(
    'database-failures',
    'The database could not be reached more than 3 times in a minute',
    { unit: 'failures a minute', threshold: 3, endsAt: 0, forSeconds: 30 },
    (now) => now.databaseFailures,
  ),
  critical(
    'high-error-rate',
    'More than 5% of all responses in five minutes are server errors',
    { unit: '%', threshold: 5, endsAt: 4, forSeconds: 60 },
    (now) => ofEnough(now, (now.errors / now.requests) * 100),
  ),
  warning(
    'slow-responses',
    'More than 5% of all responses in five minutes took longer than 2 s',
    { unit: 'ms', threshold: 2_000, endsAt: 1_800, forSeconds: 120 },
    (now) => ofEnough(now, now.p95Ms),
  ),
  warning(
    'very-slow-responses',
    'More than 1% of all responses in five minutes took longer than 5 s',
    { unit: 'ms', threshold: 5_000, endsAt: 4_500, forSeconds: 120 },
    (now) => ofEnough(now, now.p99Ms),
  ),
  warning(
    'pool-waiting',
    'Requests wait for a connection to the database',
    { unit: 'requests', threshold: 0, endsAt: 0, forSeconds: 30 },
    (now) => now.poolWaiting,
  ),
  warning(
    'event-loop-delay',
    'The event loop delays every request by more than 100 ms',
    { unit: 'ms', threshold: 100, endsAt: 80, forSeconds: 60 },
    (now) => now.eventLoopDelayMs,
  ),
  warning(
    'high-cpu',
    // JavaScript runs on one core, however many there are.
    'More than 80% of the one core that a process can use is in use',
    { unit: '%', threshold: 80, endsAt: 72, forSeconds: 300 },
    (now) => (now.cpu / Math.min(1, now.cores)) * 100,
  ),
  warning(
    'high-memory',
    'More than 85% of the memory limit is in use',
    { unit: '%', threshold: 85, endsAt: 80, forSeconds: 300 },
    (now) => now.memoryUsed * 100,
  ),
  warning(
    'low-disk',
    'Less than 20% of the disk is free',
    { unit: '%', threshold: 20, below: true, endsAt: 22, forSeconds: 300 },
    (now) => now.diskFree && now.diskFree * 100,
  ),
];

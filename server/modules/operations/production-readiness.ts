import type { ReadinessItem } from '#contracts/operations/deployment.ts';
import {
  type Deployment,
  encryptionFinding,
  fail,
  graded,
  type Items,
  LIMITS_AND_CONNECTIONS,
  pass,
  seconds,
  secretFinding,
  warn,
} from './readiness-findings.ts';

const GIB = 2 ** 30;

/** Every item, in display order. */
const ITEMS: Items = {
  environment: [
    'Environment',
    ({ config: { environment } }) =>
      environment === 'production'
        ? pass('It runs as production.')
        : warn(
            `It runs as ${environment}, which is less strict. The items below are judged as for production.`,
            'Start it with NODE_ENV=production.',
          ),
  ],
  'operators-key': [
    "Operators' key",
    secretFinding('INTERNAL_API_KEY', 'nobody can read metrics or this list'),
  ],
  'session-secret': [
    'Secret of browser sessions',
    secretFinding('SESSION_SECRET', 'nobody can sign in to the operations screen'),
  ],
  encryption: ['Encrypted columns', encryptionFinding],
  hosts: [
    'Host names',
    ({ config: { allowedHosts }, isSet }) =>
      isSet('ALLOWED_HOSTS')
        ? pass(`Only ${allowedHosts.join(', ')}.`)
        : warn('It answers for any Host.', 'Set ALLOWED_HOSTS to the names that visitors use.'),
  ],
  ...LIMITS_AND_CONNECTIONS,
  migrations: [
    'Migrations',
    ({ migrations, pooler, config: { database } }) => {
      if (!migrations.applied) {
        return fail(
          `They are not applied: ${migrations.note}.`,
          'See /api/status. To apply them: npm run db:migrate, or in a container: node dist/server/main.js migrate',
        );
      }
      if (!pooler || database.direct !== undefined) return pass(`${migrations.note}.`);
      return warn(
        'They are applied, but the next ones cannot hold their lock through a transaction pooler.',
        'Set DATABASE_DIRECT_URL to the address of the database itself.',
      );
    },
  ],
  notifications: [
    'Notifications between processes',
    ({ pooler, config: { database } }) =>
      pooler && database.direct === undefined
        ? warn(
            'They do not get through the transaction pooler, so processes ask the database every 2 s while pages or jobs wait.',
            'Set DATABASE_DIRECT_URL to the address past the pooler.',
          )
        : pass('They go by one connection of each process, past any pooler.'),
  ],
  clock: [
    'Clock',
    ({ database }) => {
      if (database === undefined) return warn('The database did not tell its time.', 'Check the database.');
      const aheadMs = Math.abs(database.clockAheadMs);
      const detail = `It differs from the database's by ${seconds(aheadMs)}.`;
      const remedy = 'Synchronise both machines by NTP (chrony, systemd-timesyncd).';
      return graded(aheadMs - database.clockWithinMs, [1_000, 5_000], detail, remedy);
    },
  ],
  disk: [
    'Disk',
    ({ disk }) => {
      if (disk === undefined) return warn('Its free space cannot be read.', 'Check with: df -h');
      const detail = `${Math.round(disk.free * 100)} % is free (${(disk.freeBytes / GIB).toFixed(1)} GiB).`;
      const remedy = 'Free some space, or lower LOG_FILE_COUNT × LOG_FILE_MAX_BYTES.';
      return graded(1 - disk.free, [0.8, 0.9], detail, remedy);
    },
  ],
  reports: [
    'Heap reports',
    ({ reportsRefused, config: { diagnosticsDir } }) =>
      reportsRefused === undefined
        ? pass(`They are written to ${diagnosticsDir}.`)
        : warn(
            `None can be written when memory runs out: ${reportsRefused}.`,
            'Set DIAGNOSTICS_DIR to a writable folder, such as a volume.',
          ),
  ],
  'rate-limit': [
    'Rate limits',
    ({ config: { rateLimit, operations }, isSet }) => {
      const { store, max, windowMs } = rateLimit;
      const { maxInstances } = operations;
      const where = store === 'memory' ? 'this process' : store;
      if (store !== 'memory' || maxInstances === 1 || !isSet('MAX_INSTANCES'))
        return pass(`${max} requests in ${seconds(windowMs)}, counted in ${where}.`);
      return warn(
        `Each process counts for itself: ${maxInstances} of them admit ${maxInstances} times as many requests.`,
        'Set RATE_LIMIT_STORE=postgres or redis, or lower RATE_LIMIT_MAX.',
      );
    },
  ],
  'log-level': [
    'Log level',
    ({ config: { log } }) => {
      const detail = `LOG_LEVEL is ${log.level}.`;
      if (log.level === 'info') return pass(detail);
      const remedy = 'Set LOG_LEVEL=info. The operations screen can lower it for a while.';
      if (log.level === 'debug' || log.level === 'trace')
        return warn(`${detail} It writes much more than production needs.`, remedy);
      const warnings = log.level === 'warn' ? '' : 'nor are warnings, ';
      return warn(
        `${detail} The line of each request is not written, ${warnings}so searches of docs/runbook.md find nothing.`,
        remedy,
      );
    },
  ],
  metrics: [
    'Metrics',
    ({ config: { metrics } }) =>
      metrics.enabled
        ? pass(metrics.port ? `Scraped on port ${metrics.port}.` : "Scraped with the operators' key.")
        : warn('Nothing is measured, so no alert can fire.', 'Set ENABLE_METRICS=true.'),
  ],
  user: [
    'User',
    ({ runsAsRoot }) =>
      runsAsRoot
        ? warn(
            'It runs as root, so an intruder would be root.',
            'Use an unprivileged user, as the image does.',
          )
        : pass('It does not run as root.'),
  ],
};

export const ITEM_NAMES: ReadonlySet<string> = new Set(Object.keys(ITEMS));

/** Judges a deployment for production. */
export function judgeReadiness(deployment: Deployment): ReadinessItem[] {
  return Object.entries(ITEMS).map(([name, [title, judge]]) => ({ name, title, ...judge(deployment) }));
}

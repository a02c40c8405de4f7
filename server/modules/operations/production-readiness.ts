import type { ReadinessItem } from '#contracts/operations/deployment.ts';
import {
  connectionsFinding,
  type Deployment,
  databaseFinding,
  databaseTlsFinding,
  fail,
  type Judge,
  memoryFinding,
  pass,
  proxyFinding,
  seconds,
  secretFinding,
  timeoutsFinding,
  tlsFinding,
  warn,
  writesFinding,
} from './readiness-findings.ts';

const GIB = 2 ** 30;
const percent = (share: number) => `${Math.round(share * 100)} %`;

/** Every item in the order in which it is shown, each with its title and its judge. */
const ITEMS: Record<string, [title: string, judge: Judge]> = {
  environment: [
    'Environment',
    ({ config: { environment } }) =>
      environment === 'production'
        ? pass('It runs as production.')
        : warn(
            `It runs as ${environment}, which makes its own secrets and forgives much. What follows is judged as production would be.`,
            'Start it with NODE_ENV=production.',
          ),
  ],
  'operators-key': [
    "The operators' key",
    (deployment) =>
      secretFinding(
        deployment,
        'INTERNAL_API_KEY',
        deployment.config.internalApiKeys,
        'metrics and this list stay closed',
      ),
  ],
  'session-secret': [
    'The secret of browser sessions',
    (deployment) =>
      secretFinding(
        deployment,
        'SESSION_SECRET',
        deployment.config.sessionSecrets,
        'nobody can sign in to the operations screen',
      ),
  ],
  tls: ['TLS for visitors', tlsFinding],
  proxies: ['Proxies', proxyFinding],
  hosts: [
    'Host names',
    ({ config: { allowedHosts }, isSet }) =>
      isSet('ALLOWED_HOSTS')
        ? pass(`Answers to ${allowedHosts.join(', ')} alone.`)
        : warn('Answers under any Host.', 'Set ALLOWED_HOSTS to the names that visitors use.'),
  ],
  database: ['The database', databaseFinding],
  'database-tls': ['TLS to the database', databaseTlsFinding],
  connections: ['Database connections', connectionsFinding],
  migrations: [
    'Migrations',
    ({ migrations, pooler, config: { database } }) => {
      if (!migrations.applied) {
        return fail(
          `They are not applied: ${migrations.note}.`,
          'See /api/status; apply them with: npm run db:migrate, or in a container: node dist/server/main.js migrate',
        );
      }
      if (pooler && database.direct === undefined) {
        return warn(
          'They are applied, and the next ones would have to go through a transaction pooler, where they cannot hold their lock.',
          'Set DATABASE_DIRECT_URL to the address past the pooler.',
        );
      }
      return pass(`${migrations.note}.`);
    },
  ],
  clock: [
    'Clock',
    ({ database }) => {
      if (database === undefined)
        return warn('The database did not tell its time.', 'Look at the database first.');
      const { clockAheadMs, clockWithinMs } = database;
      const off = Math.max(0, Math.abs(clockAheadMs) - clockWithinMs);
      const detail = `It differs from the database's by ${seconds(Math.abs(clockAheadMs))}.`;
      const remedy = 'Let both machines keep their time by NTP (chrony, systemd-timesyncd).';
      return off > 5_000 ? fail(detail, remedy) : off > 1_000 ? warn(detail, remedy) : pass(detail);
    },
  ],
  memory: ['Memory', memoryFinding],
  disk: [
    'Disk',
    ({ disk }) => {
      if (disk === undefined) return warn('How full it is cannot be read.', 'Look with: df -h');
      const detail = `${percent(disk.free)} is free (${(disk.freeBytes / GIB).toFixed(1)} GiB).`;
      const remedy = 'Make room, or lower LOG_FILE_COUNT × LOG_FILE_MAX_BYTES.';
      return disk.free < 0.1 ? fail(detail, remedy) : disk.free < 0.2 ? warn(detail, remedy) : pass(detail);
    },
  ],
  reports: [
    'Reports of the heap',
    ({ reportsRefused, config: { diagnosticsDir } }) =>
      reportsRefused === undefined
        ? pass(`They are written to ${diagnosticsDir}.`)
        : warn(
            `None can be written when memory runs out: ${reportsRefused}.`,
            'Set DIAGNOSTICS_DIR to a writable folder, such as a volume.',
          ),
  ],
  'time-outs': ['Time-outs', timeoutsFinding],
  'rate-limit': [
    'Rate limits',
    ({ config: { rateLimit, operations }, isSet }) =>
      rateLimit.store === 'memory' && operations.maxInstances > 1 && isSet('MAX_INSTANCES')
        ? warn(
            `Each process counts for itself: ${operations.maxInstances} of them let a client make ${operations.maxInstances} times as many requests.`,
            'Set RATE_LIMIT_STORE=postgres, or redis, or lower RATE_LIMIT_MAX.',
          )
        : pass(
            `${rateLimit.max} requests in ${seconds(rateLimit.windowMs)}, counted in ${rateLimit.store === 'memory' ? 'this process' : rateLimit.store}.`,
          ),
  ],
  writes: ['Who may write', writesFinding],
  'log-level': [
    'Log level',
    ({ config: { log } }) => {
      const detail = `LOG_LEVEL is ${log.level}.`;
      if (log.level === 'debug' || log.level === 'trace') {
        return warn(
          `${detail} It writes much, and more than production should keep.`,
          'Set LOG_LEVEL=info; it can be lowered for a while on the operations screen.',
        );
      }
      if (log.level === 'info') return pass(detail);
      const warnings = log.level === 'warn' ? '' : 'nor are warnings, ';
      return warn(
        `${detail} The line of each request is not written, ${warnings}so that what docs/runbook.md searches for is not there.`,
        'Set LOG_LEVEL=info.',
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
        ? warn('It runs as root: who breaks in is root.', 'Run it as a user of its own; the image does.')
        : pass('It does not run as root.'),
  ],
};

/** The names of what is judged here. */
export const ITEM_NAMES: ReadonlySet<string> = new Set(Object.keys(ITEMS));

/** Judges a deployment: what is missing for production, and what to do about it. */
export function judgeReadiness(deployment: Deployment): ReadinessItem[] {
  return Object.entries(ITEMS).map(([name, [title, judge]]) => ({ name, title, ...judge(deployment) }));
}

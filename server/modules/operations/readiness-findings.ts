import type { ReadinessItem } from '#contracts/operations/deployment.ts';
import type { Config } from '../../platform/config/config.ts';
import { type DatabaseConnection, isPrivateHost } from '../../platform/config/database.ts';
import {
  INTERNAL_API_KEY_RULE,
  isPlaceholder,
  SESSION_SECRET_RULE,
  weaknessAmong,
} from '../../platform/config/secrets.ts';
import type { NameOf } from '../../platform/config/setting.ts';
import type { platformSettings } from '../../platform/config/settings.ts';
import { type DeclaredAccess, isWrite } from '../../platform/http/access/access.ts';
import { MIB } from '../../platform/lib/units.ts';
import type { operationsSettings } from './settings.ts';

/** Facts about a deployment. Undefined: the fact could not be determined. */
export interface Deployment {
  config: Config<typeof operationsSettings>;
  /** Whether the operator set it. A default, or a value generated for development, does not count. */
  isSet(name: NameOf<typeof platformSettings | typeof operationsSettings>): boolean;
  /** Whether every migration is applied, and the note of the start-up step. */
  migrations: { applied: boolean; note: string };
  /** Whether the database is behind a pooler. */
  pooler: boolean | undefined;
  database: DatabaseFacts | undefined;
  /** Bytes. Without a limit, `limit` is null. */
  memory: { limit: number | null; heapLimit: number };
  disk: { free: number; freeBytes: number } | undefined;
  /** Why no heap report can be written; undefined if one can. */
  reportsRefused: string | undefined;
  /** An untrusted address that sent `X-Forwarded-For`. */
  untrustedProxy: string | undefined;
  /** Whether the current request came over TLS, according to a trusted proxy or the socket. */
  askedOverTls: boolean;
  declaredAccess: Omit<DeclaredAccess, 'levels'>;
  /** The number of encrypted columns, the ids of the configured keys, and of those that columns hold values of. */
  encryption: { columns: number; keys: readonly string[]; inUse: readonly string[] | undefined };
  runsAsRoot: boolean;
}

export interface DatabaseFacts {
  /** As `server_version_num`: 160004 is 16.4. */
  version: number;
  /** Connections for this role: the server's maximum, less those reserved for superusers. */
  connections: number;
  superuser: boolean;
  /** How far its clock is ahead of ours, in milliseconds, and the uncertainty of that value. */
  clockAheadMs: number;
  clockWithinMs: number;
}

export type Finding = Omit<ReadinessItem, 'name' | 'title'>;
export type Judge = (deployment: Deployment) => Finding;
/** Items by name, with the title and the judge of each. */
export type Items = Readonly<Record<string, readonly [title: string, judge: Judge]>>;

export const pass = (detail: string): Finding => ({ status: 'pass', detail });
export const warn = (detail: string, remedy: string): Finding => ({ status: 'warn', detail, remedy });
export const fail = (detail: string, remedy: string): Finding => ({ status: 'fail', detail, remedy });
/** Fails or warns above two limits. */
export const graded = (
  value: number,
  [warnAbove, failAbove]: [number, number],
  detail: string,
  remedy: string,
) => (value > failAbove ? fail(detail, remedy) : value > warnAbove ? warn(detail, remedy) : pass(detail));

/** Idle timeout and response timeout of most load balancers, and of Replit's. */
const PROXY_MS = 60_000;
/** From SIGTERM to SIGKILL: the default of Kubernetes; that of Docker and Replit. */
const KUBERNETES_GRACE_MS = 30_000;
const CONTAINER_GRACE_MS = 10_000;
const MIN_MEMORY = 256 * MIB;

export const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`;

/** The worst status of several findings. */
export const worstOf = (items: readonly Pick<ReadinessItem, 'status'>[]): ReadinessItem['status'] =>
  (['fail', 'warn'] as const).find((status) => items.some((item) => item.status === status)) ?? 'pass';

const SECRETS = {
  INTERNAL_API_KEY: [INTERNAL_API_KEY_RULE, 'internalApiKeys'],
  SESSION_SECRET: [SESSION_SECRET_RULE, 'sessionSecrets'],
  ENCRYPTION_KEY: [SESSION_SECRET_RULE, 'encryptionKeys'],
} as const;

/** @param unset What production cannot do without it. */
export const secretFinding =
  (name: keyof typeof SECRETS, unset: string): Judge =>
  ({ isSet, config }) => {
    const [rule, key] = SECRETS[name];
    const values = config[key];
    const remedy = `Set ${name} or ${name}_FILE. To generate a value: openssl rand -base64 32`;
    if (!isSet(name)) {
      const made = values.length > 0 ? 'It was made for development; ' : '';
      return warn(`${made}${name} is unset, so in production ${unset}.`, remedy);
    }
    const weakness = weaknessAmong(values, rule);
    if (weakness !== undefined) return fail(`${name} ${weakness}: production refuses to start.`, remedy);
    return pass(values.length > 1 ? `${values.length} are set, for rotation.` : 'It is set and strong.');
  };

const encryptionKeyFinding = secretFinding(
  'ENCRYPTION_KEY',
  'what must be encrypted is off, and what may be is stored in plain text',
);

export function encryptionFinding(deployment: Deployment): Finding {
  const { columns, keys, inUse } = deployment.encryption;
  if (columns === 0) return pass('No column is encrypted.');
  const found = encryptionKeyFinding(deployment);
  const old = inUse?.filter((id) => id !== keys[0]) ?? [];
  if (found.status !== 'pass' || old.length === 0) return found;
  return warn(
    `Values are encrypted with other keys than the first: ${old.join(', ')}.`,
    'Write them with the first: main.js keys re-encrypt (docs/runbook.md#encryption-keys).',
  );
}

function tlsFinding({ config: { publicUrl }, askedOverTls }: Deployment): Finding {
  const remedy = 'Add a proxy with TLS, name it in TRUST_PROXY, and set PUBLIC_URL to the https:// address.';
  if (publicUrl?.startsWith('http:')) return fail(`PUBLIC_URL is ${publicUrl}, without TLS.`, remedy);
  if (askedOverTls) return pass('This request came over TLS.');
  if (publicUrl !== undefined) return pass(`Visitors use ${publicUrl}.`);
  return warn('Nothing says that visitors use TLS: this request came without, PUBLIC_URL is unset.', remedy);
}

function proxyFinding({ config: { trustProxy }, untrustedProxy }: Deployment): Finding {
  if (untrustedProxy !== undefined) {
    return fail(
      `${untrustedProxy} sends X-Forwarded-For and is not trusted. If it is your proxy, all visitors share one rate limit.`,
      'Set TRUST_PROXY to its address or range.',
    );
  }
  return pass(
    trustProxy ? `Trusted proxies: ${trustProxy.join(', ')}.` : 'No proxy is trusted, and none was seen.',
  );
}

function databaseFinding({ config: { database }, database: facts }: Deployment): Finding {
  if (facts === undefined) return fail('It did not answer in time.', 'See docs/runbook.md#the-database.');
  const { version, superuser } = facts;
  const name = `PostgreSQL ${Math.floor(version / 10_000)}`;
  if (version < 140_000) return fail(`It is ${name}; the oldest supported version is 14.`, 'Upgrade it.');
  const { host, password = '' } = database.connection;
  if (isPlaceholder(password) && !isPrivateHost(host))
    return fail('The password of its role is a placeholder.', 'Change it: alter role … password …');
  return superuser
    ? warn(`${name} answers; our role is a superuser.`, 'Use a role that owns only its own database.')
    : pass(`${name} answers.`);
}

function databaseTlsFinding({ config: { database } }: Deployment): Finding {
  const { connection, direct = connection } = database;
  if (connection === undefined || direct === undefined)
    return warn('No database address is configured.', 'Set DATABASE_URL.');
  const [used, directly] = [tlsOf(connection), tlsOf(direct)];
  return used.status === worstOf([used, directly]) ? used : directly;
}

function tlsOf({ host, ssl }: DatabaseConnection): Finding {
  const near = isPrivateHost(host);
  if (ssl !== false && ssl.rejectUnauthorized) return pass(`Encrypted, and ${host} is verified.`);
  if (near)
    return pass(`${ssl ? 'Encrypted, not verified' : 'Not encrypted'}, in a private network (${host}).`);
  return ssl
    ? warn(`Encrypted, but ${host} is not verified.`, 'Set DATABASE_CA and sslmode=verify-full.')
    : fail(`Traffic to ${host} is not encrypted.`, 'Add sslmode=verify-full to DATABASE_URL.');
}

function connectionsFinding({ config, database, pooler, isSet }: Deployment): Finding {
  const { maxInstances } = config.operations;
  const { poolSize } = config.database;
  // Besides its pool each process has one connection that listens for notifications.
  const needed = (poolSize + 1) * maxInstances;
  const sum = `(DB_POOL_SIZE ${poolSize} + 1) × MAX_INSTANCES ${maxInstances} = ${needed}`;
  if (pooler) return pass(`${sum}, through a pooler with a limit of its own.`);
  if (database === undefined)
    return warn(`${sum}; the database did not say its limit.`, 'Check the database.');
  const { connections } = database;
  const found = `${sum}; the database allows ${connections}.`;
  if (needed <= connections) return pass(found);
  const each = Math.max(1, Math.floor(connections / maxInstances) - 1);
  const remedy = `Set MAX_INSTANCES to the number of processes, set DB_POOL_SIZE to ${each} for ${maxInstances} of them, or add a pooler.`;
  // The default of MAX_INSTANCES is a guess.
  return isSet('MAX_INSTANCES') || poolSize >= connections ? fail(found, remedy) : warn(found, remedy);
}

function writesFinding({ declaredAccess }: Deployment): Finding {
  const { hasIdentity, userRoutes, publicWrites } = declaredAccess;
  const decided =
    publicWrites.length === 0
      ? "No route that writes declares access 'public'."
      : `Everybody may write to these routes with access 'public': ${publicWrites.join(', ')}.`;
  if (hasIdentity || userRoutes.length === 0) return pass(decided);
  const writes = userRoutes.filter(isWrite);
  const which = writes.length === 0 ? 'none of them writes' : `these write: ${writes.join(', ')}`;
  return warn(
    `Nothing tells who is signed in, so routes with access 'user' (${userRoutes.length}) admit everybody; ${which}. ${decided}`,
    "Return an identity in server/app.ts, or declare access 'operator' or 'public'. Delete the sample feature.",
  );
}

function memoryFinding({ memory: { limit, heapLimit } }: Deployment): Finding {
  const inMib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
  if (limit === null)
    return warn(
      'Nothing limits it: a leak would exhaust the machine.',
      'Limit the container, to 256 MiB or more.',
    );
  if (limit < MIN_MEMORY) return fail(`The limit is ${inMib(limit)}.`, `Allow ${inMib(MIN_MEMORY)} or more.`);
  if (heapLimit <= limit) return pass(`The limit is ${inMib(limit)}, that of the heap ${inMib(heapLimit)}.`);
  return warn(
    `The heap may grow to ${inMib(heapLimit)}, beyond the limit of ${inMib(limit)}: the kernel would kill the process.`,
    'Set --max-old-space-size to three quarters of the limit, in MiB.',
  );
}

/** Each rule: whether it is violated, and the finding. `fail` means lost requests. */
function timeoutsFinding({ config }: Deployment): Finding {
  const { http, shutdown, database, platform, startupHoldMs } = config;
  const containerGraceMs =
    platform.container || platform.replit ? CONTAINER_GRACE_MS : Number.POSITIVE_INFINITY;
  const graceMs = platform.kubernetes ? KUBERNETES_GRACE_MS : containerGraceMs;
  const proxy = seconds(PROXY_MS);
  const rules: [violated: boolean, finding: Finding][] = [
    [
      shutdown.drainDelayMs >= shutdown.timeoutMs,
      fail('DRAIN_DELAY_MS leaves nothing of SHUTDOWN_TIMEOUT_MS', 'Lower DRAIN_DELAY_MS.'),
    ],
    [
      platform.kubernetes && shutdown.drainDelayMs === 0,
      warn(
        'Kubernetes goes on sending requests for seconds; DRAIN_DELAY_MS is 0',
        'Set DRAIN_DELAY_MS=5000.',
      ),
    ],
    [
      shutdown.timeoutMs >= graceMs,
      warn(`SHUTDOWN_TIMEOUT_MS is not below the ${seconds(graceMs)} before SIGKILL`, 'Lower it.'),
    ],
    [
      http.keepAliveTimeoutMs <= PROXY_MS,
      warn(
        `KEEP_ALIVE_TIMEOUT_MS is not above the ${proxy} of most load balancers, which will use closed connections`,
        'Set KEEP_ALIVE_TIMEOUT_MS=65000, or lower the timeout of the load balancer.',
      ),
    ],
    [
      http.requestTimeoutMs >= PROXY_MS,
      warn(
        `REQUEST_TIMEOUT_MS is not below the ${proxy} of most load balancers`,
        'Lower REQUEST_TIMEOUT_MS.',
      ),
    ],
    [
      database.statementTimeoutMs > http.requestTimeoutMs,
      warn(
        'Statements go on when nobody waits: DB_STATEMENT_TIMEOUT_MS is above REQUEST_TIMEOUT_MS',
        'Lower it.',
      ),
    ],
    [
      database.connectTimeoutMs >= http.requestTimeoutMs,
      warn('DB_CONNECT_TIMEOUT_MS is not below REQUEST_TIMEOUT_MS', 'Lower DB_CONNECT_TIMEOUT_MS.'),
    ],
    [
      startupHoldMs >= PROXY_MS,
      warn(`STARTUP_HOLD_MS is not below the ${proxy} of most load balancers`, 'Set STARTUP_HOLD_MS=10000.'),
    ],
  ];
  const found = rules.filter(([violated]) => violated).map(([, finding]) => finding);
  if (found.length === 0) return pass('They are consistent.');
  return {
    status: worstOf(found),
    detail: `${found.map(({ detail }) => detail).join('; ')}.`,
    remedy: found.map(({ remedy }) => remedy).join(' '),
  };
}

export const LIMITS_AND_CONNECTIONS: Items = {
  tls: ['TLS for visitors', tlsFinding],
  proxies: ['Proxies', proxyFinding],
  writes: ['Write access', writesFinding],
  database: ['Database', databaseFinding],
  'database-tls': ['TLS to the database', databaseTlsFinding],
  connections: ['Database connections', connectionsFinding],
  memory: ['Memory', memoryFinding],
  'time-outs': ['Timeouts', timeoutsFinding],
};

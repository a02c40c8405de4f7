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
import type { operationsSettings } from './settings.ts';

/** What is found out about a deployment before it is judged. Undefined: it could not be found out. */
export interface Deployment {
  config: Config<typeof operationsSettings>;
  /** Whether somebody has set this; what development makes for itself, and defaults, nobody has. */
  isSet(name: NameOf<typeof platformSettings | typeof operationsSettings>): boolean;
  /** Whether every migration is applied, and what start-up says about it. */
  migrations: { applied: boolean; note: string };
  /** Whether a pooler stands before the database. */
  pooler: boolean | undefined;
  database: DatabaseAnswers | undefined;
  /** Bytes; the limit is null where there is none. */
  memory: { limit: number | null; heapLimit: number };
  disk: { free: number; freeBytes: number } | undefined;
  /** Why no report of the heap can be written; undefined where one can. */
  reportsRefused: string | undefined;
  /** An address that sent `X-Forwarded-For` and is not trusted. */
  untrustedProxy: string | undefined;
  /** Whether the request that asks came over TLS, as far as a trusted proxy or the socket tells. */
  askedOverTls: boolean;
  /** What routes declare about who is answered. */
  declaredAccess: DeclaredAccess;
  runsAsRoot: boolean;
}

/** What the database says about itself. */
export interface DatabaseAnswers {
  /** As `server_version_num`: 160004 is 16.4. */
  version: number;
  /** Connections that this role may have: what the server allows, less what it keeps for superusers. */
  connections: number;
  superuser: boolean;
  /** How far its clock is ahead of this process's, in milliseconds, and how exactly that is known. */
  clockAheadMs: number;
  clockWithinMs: number;
}

export type Finding = Omit<ReadinessItem, 'name' | 'title'>;
export type Judge = (deployment: Deployment) => Finding;

export const pass = (detail: string): Finding => ({ status: 'pass', detail });
export const warn = (detail: string, remedy: string): Finding => ({ status: 'warn', detail, remedy });
export const fail = (detail: string, remedy: string): Finding => ({ status: 'fail', detail, remedy });

const MIB = 2 ** 20;
/** Most load balancers, and Replit's, keep an idle connection for so long and wait for an answer for so long. */
const PROXY_MS = 60_000;
/** From SIGTERM to SIGKILL: Kubernetes unless told otherwise; Docker and Replit. */
const KUBERNETES_GRACE_MS = 30_000;
const CONTAINER_GRACE_MS = 10_000;
const MIN_MEMORY = 256 * MIB;

export const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`;

/** The worst of several. */
export function worstOf(items: readonly Pick<ReadinessItem, 'status'>[]): ReadinessItem['status'] {
  if (items.some(({ status }) => status === 'fail')) return 'fail';
  return items.some(({ status }) => status === 'warn') ? 'warn' : 'pass';
}

const SECRET_RULES = {
  INTERNAL_API_KEY: INTERNAL_API_KEY_RULE,
  SESSION_SECRET: SESSION_SECRET_RULE,
};

export function secretFinding(
  { isSet }: Deployment,
  name: keyof typeof SECRET_RULES,
  values: readonly string[],
  unset: string,
): Finding {
  const remedy = `Set ${name}, or ${name}_FILE; a good one is made by: openssl rand -base64 32`;
  if (!isSet(name)) {
    const made = values.length > 0 ? 'It was made for development; ' : '';
    return warn(`${made}${name} is unset, so in production ${unset}.`, remedy);
  }
  const weakness = weaknessAmong(values, SECRET_RULES[name]);
  if (weakness !== undefined)
    return fail(`${name} ${weakness}: production refuses to start with it.`, remedy);
  return pass(values.length > 1 ? `${values.length} are set, for rotation.` : 'It is set, and strong.');
}

export function tlsFinding({ config: { publicUrl }, askedOverTls }: Deployment): Finding {
  const remedy =
    'Put a proxy with TLS in front, name it in TRUST_PROXY, and set PUBLIC_URL to the https:// address.';
  if (publicUrl?.startsWith('http:')) return fail(`PUBLIC_URL is ${publicUrl}, without TLS.`, remedy);
  if (askedOverTls) return pass('This was asked over TLS.');
  if (publicUrl !== undefined) return pass(`Visitors come by ${publicUrl}.`);
  return warn(
    'Nothing says that visitors come by TLS: this was asked without, and PUBLIC_URL is unset.',
    remedy,
  );
}

export function proxyFinding({ config: { trustProxy }, untrustedProxy }: Deployment): Finding {
  if (untrustedProxy !== undefined) {
    return fail(
      `${untrustedProxy} sends X-Forwarded-For and is not trusted: if it is your proxy, all visitors share one rate limit.`,
      'Set TRUST_PROXY to its address or range.',
    );
  }
  return pass(
    trustProxy
      ? `Forwarded headers are believed from ${trustProxy.join(', ')}.`
      : 'No proxy is trusted, and none has been seen.',
  );
}

export function databaseFinding({ config: { database }, database: answers }: Deployment): Finding {
  if (database.embedded) {
    return fail('It is the embedded PostgreSQL, which is for development.', 'Set DATABASE_URL.');
  }
  if (answers === undefined) {
    return fail('It did not answer in time.', 'See docs/runbook.md#the-database.');
  }
  const { version, superuser } = answers;
  const name = `PostgreSQL ${Math.floor(version / 10_000)}`;
  if (version < 140_000) return fail(`It is ${name}; 14 is the oldest that is known to work.`, 'Upgrade it.');
  const { host = '', password = '' } = database.connection ?? {};
  if (isPlaceholder(password) && !isPrivateHost(host)) {
    return fail(
      'The password of its role is a placeholder.',
      'Give the role another: alter role … password …',
    );
  }
  return superuser
    ? warn(
        `${name} answers, and its role is a superuser.`,
        'Give the application a role that owns its database alone.',
      )
    : pass(`${name} answers.`);
}

export function databaseTlsFinding({ config: { database } }: Deployment): Finding {
  const { connection } = database;
  if (connection === undefined) return warn('There is no address to judge.', 'Set DATABASE_URL.');
  const worst = [connection, database.direct ?? connection].map(tlsOf);
  return (
    worst.find(({ status }) => status === 'fail') ??
    worst.find(({ status }) => status === 'warn') ??
    tlsOf(connection)
  );
}

function tlsOf({ host, ssl }: DatabaseConnection): Finding {
  const near = isPrivateHost(host);
  if (ssl === false) {
    return near
      ? pass(`Not encrypted, within a private network (${host}).`)
      : fail(`What goes to ${host} is not encrypted.`, 'Add sslmode=verify-full to DATABASE_URL.');
  }
  if (ssl.rejectUnauthorized) return pass(`Encrypted, and ${host} is verified.`);
  return near
    ? pass(`Encrypted, not verified, within a private network (${host}).`)
    : warn(
        `Encrypted, and nobody knows with whom: ${host} is not verified.`,
        'Set DATABASE_CA and sslmode=verify-full.',
      );
}

export function connectionsFinding({ config, database, pooler, isSet }: Deployment): Finding {
  const { maxInstances } = config.operations;
  const { poolSize } = config.database;
  const needed = poolSize * maxInstances;
  const sum = `DB_POOL_SIZE ${poolSize} × MAX_INSTANCES ${maxInstances} = ${needed}`;
  if (pooler) return pass(`${sum}, through a pooler, whose own limit counts.`);
  if (database === undefined)
    return warn(`${sum}; the database did not say what it allows.`, 'Look at it first.');
  const { connections } = database;
  const found = `${sum}; the database allows ${connections}.`;
  if (needed <= connections) return pass(found);
  const each = Math.max(1, Math.floor(connections / maxInstances));
  const remedy = `Set MAX_INSTANCES to what may run at once, DB_POOL_SIZE to ${each} for ${maxInstances}, or put a pooler between.`;
  // Nobody has said how many there will be: the default is a guess.
  return isSet('MAX_INSTANCES') || poolSize > connections ? fail(found, remedy) : warn(found, remedy);
}

export function writesFinding({ declaredAccess }: Deployment): Finding {
  const { hasIdentity, userRoutes, publicWrites } = declaredAccess;
  const decided =
    publicWrites.length === 0
      ? "No route that writes declares access 'public'."
      : `Everybody may write to these, which declare access 'public': ${publicWrites.join(', ')}.`;
  if (hasIdentity || userRoutes.length === 0) return pass(decided);
  const writes = userRoutes.filter(isWrite);
  const which = writes.length === 0 ? 'none of them writes' : `these write: ${writes.join(', ')}`;
  return warn(
    `Nothing tells who is signed in, so routes with access 'user' (${userRoutes.length}) admit everybody; ${which}. ${decided}`,
    "Return an identity in server/app.ts, or declare 'operator', or 'public' where everybody may. Delete the sample feature.",
  );
}

export function memoryFinding({ memory: { limit, heapLimit } }: Deployment): Finding {
  const inMib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
  if (limit === null) {
    return warn(
      'Nothing limits it: a leak would take the whole machine along.',
      'Give the container a limit; 256 MiB is enough to begin with.',
    );
  }
  if (limit < MIN_MEMORY) {
    return fail(`The limit is ${inMib(limit)}.`, `Give it ${inMib(MIN_MEMORY)} or more.`);
  }
  return heapLimit > limit
    ? warn(
        `The heap may grow to ${inMib(heapLimit)}, beyond the limit of ${inMib(limit)}: the kernel kills first.`,
        'Start with --max-old-space-size at three quarters of the limit, in MiB.',
      )
    : pass(`The limit is ${inMib(limit)}, the heap's ${inMib(heapLimit)}.`);
}

/** Each pair of times that must fit, as: whether it does not, what is wrong, what to do, and whether it loses requests. */
export function timeoutsFinding({ config }: Deployment): Finding {
  const { http, shutdown, database, platform, startupHoldMs } = config;
  const grace = platform.kubernetes
    ? KUBERNETES_GRACE_MS
    : platform.container || platform.replit
      ? CONTAINER_GRACE_MS
      : Number.POSITIVE_INFINITY;
  const rules: [wrong: boolean, status: 'warn' | 'fail', detail: string, remedy: string][] = [
    [
      shutdown.drainDelayMs >= shutdown.timeoutMs,
      'fail',
      'DRAIN_DELAY_MS leaves nothing of SHUTDOWN_TIMEOUT_MS for requests to finish',
      'Make DRAIN_DELAY_MS smaller.',
    ],
    [
      platform.kubernetes && shutdown.drainDelayMs === 0,
      'warn',
      'DRAIN_DELAY_MS is 0, and Kubernetes goes on sending requests for some seconds',
      'Set DRAIN_DELAY_MS=5000.',
    ],
    [
      shutdown.timeoutMs >= grace,
      'warn',
      `SHUTDOWN_TIMEOUT_MS is not below the ${seconds(grace)} after which the platform usually kills`,
      'Make it smaller, or the time that the platform gives longer.',
    ],
    [
      http.keepAliveTimeoutMs <= PROXY_MS,
      'warn',
      `KEEP_ALIVE_TIMEOUT_MS is not longer than the ${seconds(PROXY_MS)} that most load balancers keep a connection: they will send into closed ones`,
      'Set KEEP_ALIVE_TIMEOUT_MS=65000, or the load balancer to less.',
    ],
    [
      http.requestTimeoutMs >= PROXY_MS,
      'warn',
      `REQUEST_TIMEOUT_MS is not below the ${seconds(PROXY_MS)} after which most load balancers give up`,
      'Set it below.',
    ],
    [
      database.statementTimeoutMs > http.requestTimeoutMs,
      'warn',
      'DB_STATEMENT_TIMEOUT_MS is longer than REQUEST_TIMEOUT_MS: statements go on when nobody waits for them',
      'Make it at most as long.',
    ],
    [
      database.connectTimeoutMs >= http.requestTimeoutMs,
      'warn',
      'DB_CONNECT_TIMEOUT_MS is not shorter than REQUEST_TIMEOUT_MS',
      'Make it shorter.',
    ],
    [
      startupHoldMs >= PROXY_MS,
      'warn',
      `STARTUP_HOLD_MS is not below the ${seconds(PROXY_MS)} after which most load balancers give up`,
      'Set STARTUP_HOLD_MS=10000.',
    ],
  ];
  const wrong = rules.filter(([is]) => is);
  if (wrong.length === 0) return pass('They fit each other.');
  return {
    status: worstOf(wrong.map(([, status]) => ({ status }))),
    detail: `${wrong.map(([, , detail]) => detail).join('; ')}.`,
    remedy: wrong.map(([, , , remedy]) => remedy).join(' '),
  };
}

import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger } from 'fastify';
import { type ReadinessItem, readProductionReadiness } from '#contracts/operations/deployment.ts';
import type { Config } from '../../platform/config/config.ts';
import type { EffectiveSetting } from '../../platform/config/reader.ts';
import type { Database } from '../../platform/database/pool/pool.ts';
import type { Lifecycle } from '../../platform/health/lifecycle.ts';
import { reportsRefused } from '../../platform/metrics/heap.ts';
import type { Finding } from '../../platform/parts.ts';
import { ITEM_NAMES, judgeReadiness } from './production-readiness.ts';
import { type DatabaseAnswers, type Deployment, warn, worstOf } from './readiness-findings.ts';
import type { operationsSettings } from './settings.ts';
import { HEAP_LIMIT, MEMORY_LIMIT } from './traffic/process-samples.ts';

export interface ReadinessParts {
  instance: string;
  config: Config<typeof operationsSettings>;
  settings: readonly EffectiveSetting[];
  lifecycle: Lifecycle;
  database: Pick<Database, 'pool' | 'pooler'>;
  /** Any folder of the disk in question. */
  folder: string;
  /** What parts have found, shown behind our own. */
  findings: readonly Finding[];
}

/** Who asks what is missing does not wait for what does not answer, in milliseconds. */
const PATIENCE_MS = 2_000;

/** What is missing for production: looked up when somebody asks, and judged. */
export const readinessRoutes: FastifyPluginAsyncTypebox<ReadinessParts> = async (app, parts) => {
  const { instance, config, settings, lifecycle, database, folder, findings } = parts;
  const twice = findings.find(({ name }) => ITEM_NAMES.has(name));
  if (twice) throw new Error(`Operations has a finding '${twice.name}' of its own: rename the part's.`);

  app.route({
    ...readProductionReadiness,
    config: { access: 'operator' },
    async handler({ protocol }) {
      const [answers, disk, refused, brought] = await Promise.all([
        inTime(ask(database.pool)),
        inTime(
          statfs(folder).then(({ bavail, blocks, bsize }) => ({
            free: bavail / blocks,
            freeBytes: bavail * bsize,
          })),
        ),
        inTime(reportsRefused(config.diagnosticsDir)),
        Promise.all(findings.map((one) => judgeFinding(one, app.log))),
      ]);
      const own = judgeReadiness({
        config,
        isSet: (name) => {
          const origin = settings.find((setting) => setting.name === name)?.origin;
          return origin !== undefined && origin !== 'default' && origin !== 'generated';
        },
        migrations: migrations(lifecycle),
        pooler: database.pooler,
        database: answers,
        memory: { limit: MEMORY_LIMIT, heapLimit: HEAP_LIMIT },
        disk,
        reportsRefused: refused,
        untrustedProxy: app.untrustedProxy,
        askedOverTls: protocol === 'https',
        declaredAccess: app.declaredAccess,
        runsAsRoot: process.getuid?.() === 0,
      });
      const items = [...own, ...brought];
      return { instance, status: worstOf(items), items };
    },
  });
};

/** One that throws, or says nothing in time, hides none of the others. */
async function judgeFinding(finding: Finding, log: FastifyBaseLogger): Promise<ReadinessItem> {
  const { name, title } = finding;
  const verdict = await inTime(
    (async () => finding.judge())().catch((err) => {
      log.error({ err, finding: name }, `the finding ${name} cannot be judged`);
      throw err;
    }),
  );
  return {
    name,
    title,
    ...(verdict ?? warn('It could not be found out.', 'Look into the log, and ask again.')),
  };
}

function migrations(lifecycle: Lifecycle): Deployment['migrations'] {
  const step = lifecycle.startup.find((one) => one.step === 'migrations');
  const applied = lifecycle.started || step?.status === 'done';
  return {
    applied,
    note: step?.note ?? lifecycle.problem ?? (applied ? 'in place' : `the server is ${lifecycle.state}`),
  };
}

async function ask(pool: Database['pool']): Promise<DatabaseAnswers> {
  const asked = Date.now();
  const { rows } = await pool.query(`
    select current_setting('server_version_num')::integer as version,
      extract(epoch from clock_timestamp()) * 1000 as clock,
      current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true)::integer, 0) as connections,
      rolconnlimit as own, rolsuper as superuser
    from pg_roles where rolname = current_user`);
  const { version, clock, connections, own, superuser } = rows[0];
  // It told its time somewhere between the question and the answer.
  const within = (Date.now() - asked) / 2;
  return {
    version,
    connections: own < 0 ? connections : Math.min(connections, own),
    superuser,
    clockAheadMs: Number(clock) - (asked + within),
    clockWithinMs: within,
  };
}

/** @returns Undefined where there was no answer in time, or none at all. */
async function inTime<Result>(work: Promise<Result>): Promise<Result | undefined> {
  const late = new AbortController();
  const none = work.catch(() => undefined);
  const result = await Promise.race([
    none,
    sleep(PATIENCE_MS, undefined, { signal: late.signal }).catch(() => undefined),
  ]);
  late.abort();
  return result;
}

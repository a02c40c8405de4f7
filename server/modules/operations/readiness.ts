import { statfs } from 'node:fs/promises';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger } from 'fastify';
import { type ReadinessItem, readProductionReadiness } from '#contracts/operations/deployment.ts';
import { encryptedColumns } from '../../platform/database/encryption/encrypted-text.ts';
import { keyring } from '../../platform/database/encryption/keyring.ts';
import { keysInUse } from '../../platform/database/encryption/keys-in-use.ts';
import type { Database } from '../../platform/database/pool/pool.ts';
import type { Lifecycle } from '../../platform/health/lifecycle.ts';
import { within } from '../../platform/lib/within.ts';
import { reportsRefused } from '../../platform/metrics/heap.ts';
import type { Finding } from '../../platform/parts.ts';
import { ITEM_NAMES, judgeReadiness } from './production-readiness.ts';
import { type DatabaseFacts, type Deployment, warn, worstOf } from './readiness-findings.ts';
import type { OperationsOptions } from './routes.ts';
import { HEAP_LIMIT, MEMORY_LIMIT } from './traffic/process-samples.ts';

/** Each fact must arrive within this time, in milliseconds. */
const MAX_WAIT_MS = 2_000;

/** Production readiness: collects the facts on request, and judges them. */
export const readinessRoutes: FastifyPluginAsyncTypebox<OperationsOptions> = async (app, options) => {
  const { about, config, settings, probeSources, database, folder, findings } = options;
  const twice = findings.find(({ name }) => ITEM_NAMES.has(name));
  if (twice) throw new Error(`Operations has a finding '${twice.name}' of its own: rename the part's.`);

  app.route({
    ...readProductionReadiness,
    config: { access: 'operator' },
    async handler({ protocol }) {
      const [facts, disk, reportsAre, inUse, brought] = await Promise.all([
        inTime(factsOf(database.pool)),
        inTime(statfs(folder)),
        inTime(reportsRefused(config.diagnosticsDir)),
        inTime(keysInUse(database.db)),
        Promise.all(findings.map((one) => judgeFinding(one, app.log))),
      ]);
      const own = judgeReadiness({
        config,
        isSet: (name) => {
          const { origin = 'default' } = settings.find((setting) => setting.name === name) ?? {};
          return origin !== 'default' && origin !== 'generated';
        },
        migrations: migrations(probeSources.lifecycle),
        pooler: database.pooler,
        database: facts,
        memory: { limit: MEMORY_LIMIT, heapLimit: HEAP_LIMIT },
        disk: disk && { free: disk.bavail / disk.blocks, freeBytes: disk.bavail * disk.bsize },
        reportsRefused: reportsAre,
        untrustedProxy: app.untrustedProxy,
        askedOverTls: protocol === 'https',
        declaredAccess: app.declaredAccess,
        encryption: { columns: encryptedColumns.size, keys: keyring.ids, inUse },
        runsAsRoot: process.getuid?.() === 0,
      });
      const items = [...own, ...brought];
      return { instance: about.instance, status: worstOf(items), items };
    },
  });
};

/** A finding that throws or takes too long does not affect the others. */
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
    ...(verdict ?? warn('It could not be determined.', 'Check the log, then try again.')),
  };
}

function migrations({ startup, started, problem, state }: Lifecycle): Deployment['migrations'] {
  const step = startup.find((one) => one.step === 'migrations');
  const applied = started || step?.status === 'done';
  return { applied, note: step?.note ?? problem ?? (applied ? 'in place' : `the server is ${state}`) };
}

async function factsOf(pool: Database['pool']): Promise<DatabaseFacts> {
  const asked = Date.now();
  const { rows } = await pool.query(`/* operations */
    select current_setting('server_version_num')::integer as version,
      extract(epoch from clock_timestamp()) * 1000 as clock,
      current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true)::integer, 0) as connections,
      rolconnlimit as own, rolsuper as superuser
    from pg_roles where rolname = current_user`);
  const { version, clock, connections, own, superuser } = rows[0];
  // The database read its clock at some time between the query and the response.
  const within = (Date.now() - asked) / 2;
  return {
    version,
    connections: own < 0 ? connections : Math.min(connections, own),
    superuser,
    clockAheadMs: Number(clock) - (asked + within),
    clockWithinMs: within,
  };
}

/** @returns Undefined if the work fails or takes too long. */
const inTime = <Result>(work: Promise<Result>): Promise<Result | undefined> =>
  within(work, MAX_WAIT_MS, () => new Error('late')).catch(() => undefined);

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { eq, inArray, type SQL, sql } from 'drizzle-orm';
import type { FastifyReply } from 'fastify';
import {
  cancelJob,
  discardJob,
  listJobs,
  listQueues,
  pauseQueue,
  readJob,
  resumeQueue,
  retryJob,
  syncHealth,
  tickJobs,
} from '#contracts/jobs.ts';
import { ProblemError, unavailable } from '../../platform/lib/problem.ts';
import { within } from '../../platform/lib/within.ts';
import type { JobService } from './jobs.ts';
import { jobDefinitions as table } from './table.ts';
import { listOf, oneOf } from './views.ts';

/** A tick is answered a little before the deadline of requests, in milliseconds. */
const TICK_MARGIN_MS = 2_000;

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const UNIQUE_VIOLATION = '23505';

/** What operators see and do of jobs. Every change is told to all processes. */
export const jobRoutes: FastifyPluginAsyncTypebox<{ service: JobService }> = async (app, { service }) => {
  const { queue, definitions, figures, platform } = service;
  const { db, database, about, config } = platform;
  const operator = { config: { access: 'operator' } } as const;
  app.addHook('onResponse', async ({ method }, { statusCode }) => {
    if (method !== 'GET' && statusCode < 300) service.notice.changed();
  });
  const names = () => [...definitions.keys()];

  app.route({
    ...listQueues,
    ...operator,
    async handler() {
      if (definitions.size === 0) return { instance: about.instance, runsHere: false, queues: [] };
      await service.ready();
      const [queues, rows] = await Promise.all([
        figures.read(),
        db.select().from(table).where(inArray(table.name, names())),
      ]);
      return {
        instance: about.instance,
        runsHere: service.worker !== undefined,
        queues: queues.map((one) => {
          const row = rows.find(({ name }) => name === one.name);
          const { cron, timeZone, nextAt, pausedAt } = row ?? {};
          const schedule =
            cron && timeZone ? { cron, timeZone, nextAt: nextAt?.toISOString() ?? null } : null;
          return { ...one, paused: Boolean(pausedAt), schedule };
        }),
      };
    },
  });

  app.route({
    ...listJobs,
    ...operator,
    async handler({ query: { state = 'waiting', name, limit = 50 } }) {
      return { items: await listOf(database, state, name === undefined ? names() : [name], limit) };
    },
  });

  const setPaused =
    (pausedAt: SQL | null) =>
    async ({ params: { name } }: { params: { name: string } }, reply: FastifyReply) => {
      known(name);
      await service.ready();
      await db.update(table).set({ pausedAt }).where(eq(table.name, name));
      await queue.tell('changed');
      service.lookWithoutListener();
      return reply.code(204).send(null);
    };
  app.route({ ...pauseQueue, ...operator, handler: setPaused(sql`now()`) });
  app.route({ ...resumeQueue, ...operator, handler: setPaused(null) });

  app.route({
    ...readJob,
    ...operator,
    handler: async ({ params: { name, id } }) => (await oneOf(database, name, id)) ?? missing(name, id),
  });

  app.route({
    ...cancelJob,
    ...operator,
    async handler({ params: { name, id } }, reply) {
      if (!(await queue.cancel(name, id))) await missingOr(name, id, 'It has ended already.');
      return reply.code(204).send(null);
    },
  });

  app.route({
    ...retryJob,
    ...operator,
    async handler({ params: { name, id } }, reply) {
      known(name);
      const revived = await queue.revive(name, id).catch((error) => {
        if (error.code !== UNIQUE_VIOLATION) throw error;
        throw new ProblemError('conflict', 'Another one, with the same key, has not ended.');
      });
      if (!revived) await missingOr(name, id, 'Only a dead job can be tried once more.');
      service.lookWithoutListener();
      return reply.code(204).send(null);
    },
  });

  app.route({
    ...discardJob,
    ...operator,
    async handler({ params: { name, id } }, reply) {
      if (!(await queue.discard(name, id))) await missingOr(name, id, 'It has not ended: cancel it first.');
      return reply.code(204).send(null);
    },
  });

  app.route({
    ...tickJobs,
    ...operator,
    async handler() {
      if (!config.jobs.worker)
        throw new ProblemError('conflict', 'WORKER is off: jobs are run by `main.js worker`.');
      service.begin();
      await service.ready();
      const { worker } = service;
      worker?.look();
      const idle = await within(
        worker?.idle() ?? Promise.resolve(),
        config.http.requestTimeoutMs - TICK_MARGIN_MS,
        () => new Error('late'),
      ).then(
        () => true,
        () => false,
      );
      if (worker?.failure !== undefined) throw unavailable('Jobs could not be looked for. Call again.');
      return { idle, running: worker?.running.length ?? 0 };
    },
  });

  app.route({
    ...syncHealth,
    ...operator,
    async handler() {
      const pulling = [...definitions.values()].filter(({ pullsFrom }) => pullsFrom !== undefined);
      if (pulling.length === 0) return { syncs: [] };
      const rows = await db.select().from(table).where(inArray(table.name, names()));
      return {
        syncs: pulling.map(({ name, pullsFrom = '' }) => {
          const row = rows.find((one) => one.name === name);
          const success = row?.lastSuccessAt ?? null;
          return {
            job: name,
            service: pullsFrom,
            lastSuccessAt: success?.toISOString() ?? null,
            lagSeconds: success ? Math.max(0, Date.now() - success.getTime()) / 1_000 : null,
            failures: row?.failures ?? 0,
            lastFailureAt: row?.lastFailureAt?.toISOString() ?? null,
            lastError: row?.lastError ?? null,
          };
        }),
      };
    },
  });

  function known(name: string): void {
    if (!definitions.has(name)) throw new ProblemError('not-found', `There is no job '${name}'.`);
  }

  async function missingOr(name: string, id: string, why: string): Promise<never> {
    if (await oneOf(database, name, id)) throw new ProblemError('conflict', why);
    return missing(name, id);
  }
};

function missing(name: string, id: string): never {
  throw new ProblemError('not-found', `There is no job ${id} called '${name}'.`);
}

/**
 * Adds `GET /api/status`: what this process did to become ready, for anyone, from memory.
 *
 * It stands outside the start-up hold, because it is what a page shows while the rest is held.
 */
import type { FastifyInstance } from 'fastify';
import { getStatus, type Status } from '#contracts/status.ts';
import { type ProbeSources, ready } from '../monitoring/probe-documents.ts';

export async function status(
  app: FastifyInstance,
  { sources, name, version }: { sources: ProbeSources; name: string; version: string },
): Promise<void> {
  const { lifecycle } = sources;
  /** What `/ready` last found wrong. It is asked behind the answer, which waits for nothing. */
  let notReady: string | undefined;
  app.route({
    ...getStatus,
    config: { quiet: true, limit: 'local' },
    handler(_request, reply): Status {
      reply.header('cache-control', 'no-store');
      const { state, startup } = lifecycle;
      const isReady = state === 'ready';
      if (isReady) {
        void ready(sources).then(({ body }) => {
          notReady = body.error as string | undefined;
        });
      }
      const problem = lifecycle.problem ?? (isReady ? notReady : undefined);
      return { name, version, state, ...(problem ? { problem } : {}), startup: [...startup] };
    },
  });
}

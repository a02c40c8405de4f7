/**
 * Adds `GET /api/status`: the state of this process and the steps of its start, public, from memory.
 *
 * It stands outside the start-up hold, because pages show it while the rest is held.
 */
import type { FastifyInstance } from 'fastify';
import { getStatus, type Status } from '#contracts/status.ts';
import { type ProbeSources, ready } from '../health/probe-documents.ts';
import type {} from './access/operators.ts';
import { isFromThisMachine } from './this-machine.ts';

/** Readiness is read at most this often, in milliseconds. */
const READ_EVERY_MS = 1_000;

export async function status(
  app: FastifyInstance,
  { sources, name, version }: { sources: ProbeSources; name: string; version: string },
): Promise<void> {
  const { lifecycle } = sources;
  const isDevelopment = sources.environment === 'development';
  /** The last error of `/ready`, which is read behind the answer. */
  let notReady: string | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  app.route({
    ...getStatus,
    config: { access: 'public', quiet: true, limit: 'local' },
    handler(request, reply): Status {
      reply.header('cache-control', 'no-store');
      const { state, startup } = lifecycle;
      const isReady = state === 'ready';
      const now = performance.now();
      if (isReady && now - readAt >= READ_EVERY_MS) {
        readAt = now;
        void ready(sources).then(({ body }) => {
          notReady = body.error as string | undefined;
        });
      }
      const problem = lifecycle.problem ?? (isReady ? notReady : undefined);
      return {
        name,
        version,
        state,
        ...(problem ? { problem } : {}),
        startup: [...startup],
        ...(isDevelopment ? { development: isFromThisMachine(request) ? 'here' : 'elsewhere' } : {}),
        ...(request.operatorSession ? { operator: true } : {}),
      };
    },
  });
}

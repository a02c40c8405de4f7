/**
 * Adds `GET /api/status`: what this process did to become ready, for anyone, from memory.
 *
 * It stands outside the start-up hold, because it is what a page shows while the rest is held.
 */
import type { FastifyInstance } from 'fastify';
import { getStatus, type Status } from '#contracts/status.ts';
import { type ProbeSources, ready } from '../health/probe-documents.ts';
import { sendNotStored } from './quick-response.ts';

/** A page that watches need not know sooner, in milliseconds. */
const ASK_EVERY_MS = 1_000;

export async function status(
  app: FastifyInstance,
  { sources, name, version }: { sources: ProbeSources; name: string; version: string },
): Promise<void> {
  const { lifecycle } = sources;
  /** What `/ready` last found wrong. It is asked behind the answer, which waits for nothing. */
  let notReady: string | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  app.route({
    ...getStatus,
    config: { access: 'public', quiet: true, limit: 'local' },
    handler(_request, reply): Status {
      sendNotStored(reply);
      const { state, startup } = lifecycle;
      const isReady = state === 'ready';
      const now = performance.now();
      if (isReady && now - askedAt >= ASK_EVERY_MS) {
        askedAt = now;
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
        ...(sources.environment === 'development' ? { development: true } : {}),
      };
    },
  });
}

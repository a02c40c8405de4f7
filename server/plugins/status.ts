/**
 * Adds `GET /api/status`: what this process did to become ready, for anyone, from memory.
 *
 * It stands outside the start-up hold, because it is what a page shows while the rest is held.
 */
import type { FastifyInstance } from 'fastify';
import { getStatus, type Status } from '#contracts/status.ts';
import type { Lifecycle } from '../lifecycle.ts';

export async function status(
  app: FastifyInstance,
  { lifecycle, name, version }: { lifecycle: Lifecycle; name: string; version: string },
): Promise<void> {
  app.route({
    ...getStatus,
    config: { quiet: true, limit: 'local' },
    handler(_request, reply): Status {
      reply.header('cache-control', 'no-store');
      const { state, problem } = lifecycle;
      return { name, version, state, ...(problem ? { problem } : {}), startup: [...lifecycle.startup] };
    },
  });
}

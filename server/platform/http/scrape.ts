/**
 * Adds `GET /metrics`, for scrapers with the operators' key; METRICS_PORT needs no key.
 *
 * It stands outside of what is held and refused under load, because that is when its figures are needed.
 */
import type { FastifyInstance, FastifySchema } from 'fastify';
import { scrape as contract } from '#contracts/metrics.ts';
import { ProblemError } from '../lib/problem.ts';
import type {} from './access/access.ts';
import type {} from './metrics.ts';
import type {} from './rate-limit/rate-limit.ts';

export async function scrape(app: FastifyInstance): Promise<void> {
  const { enabled } = app.observations;
  app.route({
    ...contract,
    schema: contract.schema as FastifySchema,
    config: enabled ? { access: 'operator', quiet: true, limit: 'local' } : { access: 'public' },
    async handler(_request, reply) {
      reply.header('cache-control', 'no-store');
      if (!enabled) throw new ProblemError('not-found', 'ENABLE_METRICS is false: nothing is measured here.');
      const { contentType, text } = await app.metricsRegistry.scrape();
      return reply.type(contentType).send(text);
    },
  });
}

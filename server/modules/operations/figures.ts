import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifySchema } from 'fastify';
import { type ProcessStatus, readFigures, readPrometheus } from '#contracts/operations/process.ts';
import { readHistory, readPerformance } from '#contracts/operations/traffic.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import type { Traffic } from './traffic/traffic.ts';

interface FiguresOptions {
  traffic: Traffic;
  now: () => Promise<ProcessStatus>;
}

/** Figures of this process as JSON, and its metrics as text for a terminal. */
export const figures: FastifyPluginAsyncTypebox<FiguresOptions> = async (app, { traffic, now }) => {
  if (!traffic.enabled) {
    // Also for clients without a key: the hook runs before access is checked.
    app.addHook('onRequest', async () => {
      throw new ProblemError('not-found', 'ENABLE_METRICS is false: nothing is measured.');
    });
  }

  app.route({
    ...readPrometheus,
    schema: readPrometheus.schema as FastifySchema,
    config: { access: 'operator', quiet: true },
    async handler(_request, reply) {
      const { contentType, text } = await app.metricsRegistry.scrape();
      return reply.type(contentType).send(text);
    },
  });

  app.route({ ...readFigures, config: { access: 'operator' }, handler: now });

  app.route({
    ...readHistory,
    config: { access: 'operator' },
    handler: ({ query }) => traffic.history(query.window ?? '15m'),
  });

  app.route({
    ...readPerformance,
    config: { access: 'operator' },
    handler({ query: { window = '5m', route } }) {
      const report = traffic.report(window, route);
      if (report) return report;
      throw new ProblemError('not-found', `'${route}' has had no request since the start.`);
    },
  });
};

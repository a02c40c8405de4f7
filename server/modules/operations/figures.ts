import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifySchema } from 'fastify';
import { type ProcessStatus, readFigures, readPrometheus } from '#contracts/operations/process.ts';
import { readHistory, readPerformance } from '#contracts/operations/traffic.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import type { Metrics } from '../../platform/metrics/metrics.ts';
import type { Traffic } from './traffic/traffic.ts';

export interface FiguresParts {
  traffic: Traffic;
  metricsRegistry: Metrics;
  now: () => Promise<ProcessStatus>;
}

/** What is measured: for a screen, and for a person who has only a terminal. */
export const figures: FastifyPluginAsyncTypebox<FiguresParts> = async (app, parts) => {
  const { traffic, metricsRegistry, now } = parts;

  if (!traffic.enabled) {
    const routes = [readPrometheus, readFigures, readHistory, readPerformance];
    for (const { method, url, schema } of routes) {
      app.route({
        method,
        url,
        schema: schema as FastifySchema,
        config: { access: 'public' },
        handler() {
          throw new ProblemError('not-found', 'ENABLE_METRICS is false: nothing is measured here.');
        },
      });
    }
    return;
  }

  app.route({
    ...readPrometheus,
    schema: readPrometheus.schema as FastifySchema,
    config: { access: 'operator', quiet: true },
    async handler(_request, reply) {
      const { contentType, text } = await metricsRegistry.scrape();
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
    handler({ query }) {
      const { window = '5m', route } = query;
      const performance = traffic.report(window, route);
      if (performance === undefined) {
        throw new ProblemError('not-found', `Nobody has asked for '${route}' since this process began.`);
      }
      return performance;
    },
  });
};

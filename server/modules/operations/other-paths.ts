import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { alerts, dashboard, metricsStream, serviceMetrics } from '#contracts/operations/other-paths.ts';

/**
 * Paths under which other servers offer monitoring. Each redirects to our path, which checks access. These routes cannot: a browser
 * sends the session of an operator to `/api` only. They reveal nothing.
 */
export const otherPaths: FastifyPluginAsyncTypebox = async (app) => {
  const config = { access: 'public', limit: 'local' } as const;

  app.route({ ...dashboard, config, handler: (_request, reply) => void reply.redirect('/ops') });

  app.route({
    ...alerts,
    config,
    handler({ headers: { accept = '' } }, reply) {
      // A browser that opens a page accepts HTML. A program wants the alerts themselves.
      const path = accept.includes('text/html') ? '/ops/alerts' : '/api/monitoring/alerts';
      reply.header('vary', 'accept').redirect(path);
    },
  });

  app.route({
    ...metricsStream,
    config,
    handler: ({ url }, reply) => void reply.redirect(`/api/monitoring/stream${/\?.*/.exec(url) ?? ''}`),
  });

  app.route({
    ...serviceMetrics,
    config,
    handler: ({ params: { name } }, reply) =>
      void reply.redirect(`/api/monitoring/performance?route=${encodeURIComponent(name)}`),
  });
};

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { alerts, dashboard, metricsStream, serviceMetrics } from '#contracts/operations/other-paths.ts';

/**
 * Where guides of other servers look for monitoring. Each path leads to the one of ours that asks who is there: a browser
 * sends an operator's session to `/api` alone, so these cannot ask, and tell nothing.
 */
export const otherPaths: FastifyPluginAsyncTypebox = async (app) => {
  const config = { access: 'public', limit: 'local' } as const;

  app.route({
    ...dashboard,
    config,
    handler(_request, reply) {
      reply.redirect('/ops');
    },
  });

  app.route({
    ...alerts,
    config,
    handler({ headers: { accept } }, reply) {
      // A browser that opens a page says so; a program wants the alerts themselves.
      const isPage = accept?.includes('text/html') ?? false;
      reply.header('vary', 'accept').redirect(isPage ? '/ops/alerts' : '/api/monitoring/alerts');
    },
  });

  app.route({
    ...metricsStream,
    config,
    handler({ url }, reply) {
      reply.redirect(`/api/monitoring/stream${/\?.*/.exec(url) ?? ''}`);
    },
  });

  app.route({
    ...serviceMetrics,
    config,
    handler({ params: { name } }, reply) {
      reply.redirect(`/api/monitoring/performance?route=${encodeURIComponent(name)}`);
    },
  });
};

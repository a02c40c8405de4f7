import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/**
 * Where guides of other servers look for monitoring. Each path leads to the one of ours that asks who is there: a browser
 * sends an operator's session to `/api` alone, so these cannot ask, and tell nothing.
 */
export async function otherPaths(app: FastifyInstance): Promise<void> {
  const lead = (url: string, to: (request: FastifyRequest) => string) =>
    app.get(url, { config: { access: 'public' } }, (request, reply: FastifyReply) =>
      reply.header('vary', 'accept').redirect(to(request)),
    );

  lead('/dashboard', () => '/ops');
  // A browser that opens a page says so; a program wants the alerts themselves.
  lead('/alerts', ({ headers: { accept } }) =>
    accept?.includes('text/html') ? '/ops/alerts' : '/api/monitoring/alerts',
  );
  lead('/metrics/stream', ({ url }) => `/api/monitoring/stream${/\?.*/.exec(url) ?? ''}`);
  lead('/metrics/service/:name', ({ params }) => {
    const { name } = params as { name: string };
    return `/api/monitoring/performance?route=${encodeURIComponent(name)}`;
  });
}

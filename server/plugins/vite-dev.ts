/**
 * Adds, in development, the client as Vite serves it: transformed on request, with hot reload over this same port.
 *
 * It stands where the built client stands in production.
 */
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';

export async function viteDev(
  app: FastifyInstance,
  { root, server }: { root: string; server: Server },
): Promise<void> {
  const { createServer } = await import('vite');
  const vite = await createServer({
    configFile: join(root, 'vite.config.ts'),
    appType: 'custom',
    clearScreen: false,
    // Hosts are checked by this server, by ALLOWED_HOSTS.
    server: { middlewareMode: true, hmr: { server }, allowedHosts: true },
  });
  app.addHook('onClose', () => vite.close());
  app.get('/*', { config: { quiet: true } }, (request, reply) => {
    reply.hijack();
    // Vite answers past Fastify, so what the plugins have added is handed on.
    for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? '');
    vite.middlewares(request.raw, reply.raw, async () => {
      const path = request.url.split('?')[0] ?? '/';
      const isPage =
        request.headers.accept?.includes('text/html') && !path.startsWith('/api') && !/\.\w+$/.test(path);
      if (!isPage) {
        reply.raw.writeHead(404, { 'content-type': 'text/plain' }).end('There is nothing at this address.\n');
        return;
      }
      try {
        const html = await readFile(join(vite.config.root, 'index.html'), 'utf8');
        const page = await vite.transformIndexHtml(request.url, html);
        reply.raw
          .writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
          .end(page);
      } catch (error) {
        vite.ssrFixStacktrace(error as Error);
        request.log.error({ err: error }, 'the page could not be transformed');
        reply.raw.writeHead(500, { 'content-type': 'text/plain' }).end(String((error as Error).stack));
      }
    });
  });
}

/**
 * Adds, in development, the client as Vite serves it: transformed on request, with hot reload over this same port.
 *
 * It stands where the built client stands in production.
 */
import { realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer, type Server } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Logger as ViteLogger } from 'vite';
import type { Lifecycle } from '../../health/lifecycle.ts';
import { pathOf } from '../../lib/problem.ts';
import { hotReloadGuard, PING, viteGuard } from './vite-guard.ts';

/** What the client is made of; Vite reads nothing else. */
const CLIENT_FOLDERS = ['client', 'contracts', 'node_modules'];
/** Requests in flight get this long when the server restarts, in milliseconds; streams would have no end. */
const RESTART_GRACE_MS = 250;
/** A ping is answered by its opening; a client that does not close it gets this long, in milliseconds. */
const PING_MS = 1_000;

export interface ViteDevOptions {
  /** The folder of the clone. */
  root: string;
  /** The server whose port is open. */
  server: Server;
  /** As in `ALLOWED_HOSTS`; never empty in development. */
  hosts: readonly string[];
  lifecycle: Lifecycle;
}

export async function viteDev(app: FastifyInstance, options: ViteDevOptions): Promise<void> {
  const { root, server, hosts, lifecycle } = options;
  const { createServer } = await import('vite');
  // Never listens: it passes on those requests for hot reload that were let in.
  const hotReload = createHttpServer();
  const folders = CLIENT_FOLDERS.map((folder) => join(root, folder));
  const vite = await createServer({
    configFile: join(root, 'vite.config.ts'),
    appType: 'custom',
    customLogger: viteLogger(app.log),
    server: {
      middlewareMode: true,
      ws: { server: hotReload },
      allowedHosts: hosts.map((host) => host.replace(/^\*\./, '.')),
      // Pages of other origins have nothing to read here.
      cors: false,
      // Any page of ours could write to this terminal, which coding agents read.
      forwardConsole: false,
      // Packages may lie elsewhere, behind a link.
      fs: { strict: true, allow: folders.flatMap((folder) => [folder, realpathSync(folder)]) },
    },
  });
  app.addHook('onClose', () => vite.close());
  acceptHotReload(server, hotReload, hosts, lifecycle);

  const mayAnswer = viteGuard(vite.config.root, vite.config.server.fs.allow);
  app.get('/*', { config: { access: 'public', quiet: true } }, async (request, reply) => {
    if (mayAnswer(request.url)) {
      reply.hijack();
      // Vite answers past Fastify, so what the plugins have added is handed on.
      for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? '');
      vite.middlewares(request.raw, reply.raw, () => {
        const text = 'Vite could not answer this. If the file exists, the terminal says why.\n';
        reply.raw.writeHead(404, { 'content-type': 'text/plain' }).end(text);
      });
      return reply;
    }
    const path = pathOf(request.url);
    const isPage =
      request.headers.accept?.includes('text/html') && !/^\/(api|@|__)/.test(path) && !/\.\w+$/.test(path);
    if (!isPage) return reply.callNotFound();
    const html = await readFile(join(vite.config.root, 'index.html'), 'utf8');
    // Always the same address: Vite keeps something for each one it is told of.
    const page = await vite.transformIndexHtml('/index.html', html);
    return reply.header('cache-control', 'no-store').type('text/html; charset=utf-8').send(page);
  });
}

/** Passes requests for hot reload on to Vite. A drain does not wait for these connections, nor for streams. */
function acceptHotReload(
  server: Server,
  hotReload: Server,
  hosts: readonly string[],
  lifecycle: Lifecycle,
): void {
  const isLetIn = hotReloadGuard(hosts);
  const open = new Set<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    if (pathOf(request.url ?? '') !== '/' || !isLetIn(request)) {
      const answer = 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
      // The server's time-outs end here: a client that does not close would keep its connection.
      socket.end(answer, () => socket.destroy());
      return;
    }
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    hotReload.emit('upgrade', request, socket, head);
    if (request.headers['sec-websocket-protocol'] === PING)
      setTimeout(() => socket.destroy(), PING_MS).unref();
  });
  lifecycle.onTransition(({ to }) => {
    if (to !== 'draining') return;
    setTimeout(() => {
      for (const socket of open) socket.destroy();
      server.closeAllConnections();
    }, RESTART_GRACE_MS);
  });
}

/** What Vite has to say, as lines of our log: one form, and in the order in which things happen. */
function viteLogger(log: FastifyBaseLogger): ViteLogger {
  const warned = new Set<string>();
  const errors = new WeakSet<object>();
  const plain = (text: string) => `vite: ${stripVTControlCharacters(text).trim()}`;
  const logger: ViteLogger = {
    hasWarned: false,
    info: (text) => log.info(plain(text)),
    warn(text) {
      logger.hasWarned = true;
      log.warn(plain(text));
    },
    warnOnce(text) {
      if (!warned.has(text)) logger.warn(text);
      warned.add(text);
    },
    error(text, options) {
      if (options?.error) errors.add(options.error);
      log.error(plain(text));
    },
    clearScreen() {},
    hasErrorLogged: (error) => errors.has(error),
  };
  return logger;
}

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
import type { Lifecycle } from '../../health/lifecycle.ts';
import { pathOf } from '../../lib/problem.ts';
import { upgradePaths } from '../../lib/upgrades.ts';
import { hotReloadGuard, PING, viteGuard } from './vite-guard.ts';

/** The folders that Vite may read. */
const CLIENT_FOLDERS = ['client', 'contracts', 'node_modules'];
/** When the server restarts, requests in flight have this long to end; streams would never end. In milliseconds. */
const RESTART_GRACE_MS = 250;
/** Opening a ping answers it; a client has this long to close it, in milliseconds. */
const PING_MS = 1_000;
const HOT_RELOAD_PATH = '/';

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
  const { createLogger, createServer } = await import('vite');
  // Never listens: it hands accepted hot reload requests to Vite.
  const hotReload = createHttpServer();
  const folders = CLIENT_FOLDERS.map((folder) => join(root, folder));
  const vite = await createServer({
    configFile: join(root, 'vite.config.ts'),
    appType: 'custom',
    customLogger: createLogger('info', { allowClearScreen: false, console: consoleOf(app.log) }),
    server: {
      middlewareMode: true,
      ws: { server: hotReload },
      allowedHosts: hosts.map((host) => host.replace(/^\*\./, '.')),
      // Pages of other origins may read nothing here.
      cors: false,
      // Otherwise any page could write to this terminal, which coding agents read.
      forwardConsole: false,
      // Packages may be behind a symbolic link.
      fs: { strict: true, allow: folders.flatMap((folder) => [folder, realpathSync(folder)]) },
    },
  });
  app.addHook('onClose', () => vite.close());
  acceptHotReload(server, hotReload, hosts, lifecycle);

  const mayAnswer = viteGuard(vite.config.root, vite.config.server.fs.allow);
  app.get('/*', { config: { access: 'public', quiet: true } }, async (request, reply) => {
    if (mayAnswer(request.url)) {
      reply.hijack();
      // Vite answers without Fastify: the plugins' headers are handed on.
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
    // Always the same address: Vite keeps state for each.
    const page = await vite.transformIndexHtml('/index.html', html);
    return reply.header('cache-control', 'no-store').type('text/html; charset=utf-8').send(page);
  });
}

/** Hands hot reload requests to Vite. A drain does not wait for their connections, nor for streams. */
function acceptHotReload(
  server: Server,
  hotReload: Server,
  hosts: readonly string[],
  lifecycle: Lifecycle,
): void {
  const isAccepted = hotReloadGuard(hosts);
  const open = new Set<Duplex>();
  upgradePaths.add(HOT_RELOAD_PATH);
  server.on('upgrade', (request, socket, head) => {
    if (pathOf(request.url ?? '') !== HOT_RELOAD_PATH) return;
    socket.on('error', () => socket.destroy());
    if (!isAccepted(request)) {
      const answer = 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
      // No time-out of the server applies any more.
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

/** @returns A console for Vite's messages, which become log lines. */
function consoleOf(log: FastifyBaseLogger): Console {
  const as = (level: 'info' | 'warn' | 'error') => (text: string) =>
    log[level](`vite: ${stripVTControlCharacters(text).trim()}`);
  return { ...console, log: as('info'), warn: as('warn'), error: as('error') };
}

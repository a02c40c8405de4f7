import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import websocket from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import type { Answer } from '../../platform/http/access/access.ts';
import { ProblemError, pathOf } from '../../platform/lib/problem.ts';
import { upgradePaths } from '../../platform/lib/upgrades.ts';
import type { Client, Transport } from './groups.ts';
import type { Hub } from './hub.ts';
import { readPosition } from './position.ts';
import { judge, type Topics, writtenTopics } from './topics.ts';

const PATH = '/api/events/socket';
/** What a client may send at once, in bytes, and so many times in ten seconds. */
const MAX_MESSAGE_BYTES = 8_192;
const MAX_MESSAGES = 20;
const MESSAGES_WINDOW_MS = 10_000;
/** As of an event stream, in bytes: a client that leaves more unread is let go. */
const MAX_UNREAD = 1_024 * 1_024;
/** WebSocket status codes (RFC 6455, section 7.4.1). */
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;

const SOCKET: Transport = { name: 'socket', encode: (message) => Buffer.from(JSON.stringify(message)) };

/** What is used of a socket of `ws`, which brings no types of its own. */
interface WebSocket {
  readonly bufferedAmount: number;
  send(data: Buffer, options: { binary: boolean }): void;
  ping(): void;
  close(code: number, reason?: string): void;
  terminate(): void;
  on(event: 'message' | 'pong' | 'close', listener: (data: Buffer) => void): void;
}

/**
 * `/api/events/socket`: the same messages over a WebSocket. The client says what it wants to hear, again whenever that changes:
 * `{ "topics": ["notes"], "after": "…" }`.
 */
export const socketRoutes: FastifyPluginAsyncTypebox<{
  hub: Hub;
  topics: Topics;
  publicUrl: string | undefined;
}> = async (app, { hub, topics, publicUrl }) => {
  // Never listens: of all upgraded connections, the plugin gets those of this route.
  const own = createServer();
  const handOver = (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (pathOf(request.url ?? '') !== PATH) return;
    // It was sent behind a request whose answer is still to go out on it.
    if (app.connections.isWorking(socket)) socket.destroy();
    else own.emit('upgrade', request, socket, head);
  };
  upgradePaths.add(PATH);
  app.server.on('upgrade', handOver);
  app.addHook('onClose', async () => app.server.off('upgrade', handOver));
  await app.register(websocket, { options: { maxPayload: MAX_MESSAGE_BYTES, server: own } });
  app.route({
    method: 'GET',
    url: PATH,
    websocket: true,
    exposeHeadRoute: false,
    config: { access: 'public', untimed: true },
    // Browsers let any page open a WebSocket anywhere, with the cookies of its visitor.
    onRequest: async ({ headers: { origin }, host }) => {
      if (origin === undefined || origin === publicUrl || URL.parse(origin)?.host === host) return;
      throw new ProblemError('cross-site', `A page of ${origin} may not read events here.`);
    },
    handler: (socket: WebSocket, request) => serve(socket, request),
  });

  function serve(socket: WebSocket, request: FastifyRequest): void {
    // Rules may set headers, for which it is too late.
    const answer = { request, header: () => answer } as unknown as Answer;
    let alive = true;
    let joined = false;
    let messages = 0;
    let windowEndsAt = 0;
    const client: Client = {
      transport: SOCKET,
      topics: [],
      allowed: async () => (await judge(app, topics, request, answer, client.topics)).allowed,
      userId: () => request.scope?.userId,
      send(message) {
        socket.send(message, { binary: false });
        if (socket.bufferedAmount > MAX_UNREAD) socket.terminate();
      },
      beat() {
        if (!alive) return socket.terminate();
        alive = false;
        socket.ping();
      },
      end: () => socket.close(GOING_AWAY),
    };
    const leave = () => socket.close(GOING_AWAY, 'The server is going away.');
    const { draining } = request;
    draining.addEventListener('abort', leave, { once: true });
    if (draining.aborted) leave();
    socket.on('pong', () => {
      alive = true;
    });
    socket.on('close', () => {
      draining.removeEventListener('abort', leave);
      closed = true;
      if (joined) hub.leave(client);
    });
    let closed = false;
    let turn = Promise.resolve();
    socket.on('message', (data) => {
      if (Date.now() > windowEndsAt) [messages, windowEndsAt] = [0, Date.now() + MESSAGES_WINDOW_MS];
      if (++messages > MAX_MESSAGES) return socket.close(POLICY_VIOLATION, 'Too many messages.');
      turn = turn
        .then(() => subscribe(data))
        .catch((error) => {
          if (!(error instanceof ProblemError)) request.log.warn({ err: error }, 'a WebSocket was closed');
          socket.close(
            POLICY_VIOLATION,
            error instanceof ProblemError ? error.kind : 'Something failed here.',
          );
        });
    });

    /** One message after the other, so that the last one counts. */
    async function subscribe(data: Buffer): Promise<void> {
      const wanted = wish(data);
      if (!wanted) return socket.close(POLICY_VIOLATION, 'Send { "topics": […] }.');
      const { allowed, refused, reason } = await judge(app, topics, request, answer, wanted.topics);
      if (reason && allowed.length === 0) throw reason;
      if (closed) return;
      if (joined) hub.leave(client);
      joined = true;
      client.topics = allowed;
      hub.join(client, readPosition(wanted.after), refused);
    }
  }
};

function wish(data: Buffer): { topics: readonly string[]; after: string | undefined } | undefined {
  try {
    const { topics, after } = JSON.parse(data.toString()) as { topics?: unknown; after?: unknown };
    const written = Array.isArray(topics) ? writtenTopics(topics.join(',')) : undefined;
    return written && { topics: written, after: typeof after === 'string' ? after : undefined };
  } catch {
    return undefined;
  }
}

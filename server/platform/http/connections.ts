/**
 * Adds limits to the connections themselves: how slow one may be, how many there may be, in all and from one address, and
 * how many headers a request has.
 *
 * Slow is a rate, never a total: a client that sends a body or reads an answer at less than 1 KiB/s over 10 s is let go, and
 * an honest upload over a bad line may last as long as it likes. A body that nobody waits for any more may linger for a
 * moment (connection.ts). Slow headers are the port's concern (port.ts). Where there are too many connections, the idlest is
 * closed for each new one. What is under way when draining begins closes its connection with its answer, as the port sees
 * to for later requests. It stands first, so that it sees every request.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Lifecycle } from '../health/lifecycle.ts';
import { ProblemError, pathOf } from '../lib/problem.ts';
import { Connection, type Peer } from './connection.ts';
import { clientKey } from './rate-limit/client-key.ts';

const SWEEP_MS = 1_000;
/** What unfinished headers may hold together, in bytes. Honest ones come in one piece. */
const MAX_HEADER_BYTES = 4 * 2 ** 20;
/** While connections come, headers are looked at this often: a flood does not wait for the next sweep. In milliseconds. */
const HEADERS_EVERY_MS = 20;
/** An address may have this part of all connections, and always as many as some browsers need. */
const PEER_SHARE = 0.25;
const MIN_PER_PEER = 16;
/** Said at most once in this time, in milliseconds. */
const WARN_EVERY_MS = 60_000;
/** Browsers send some 20 headers, proxies add a few; what is longer than Node's 16 KiB is refused before. */
const MAX_HEADERS = 100;

export interface ConnectionsOptions {
  server: Server;
  /** Connections that may be open at once. */
  most: number;
  /** Whether an address is that of a proxy, which brings the connections of many clients. */
  trusts?: (address: string | undefined) => boolean;
  /** Paths that are answered even where there is no place left. */
  alwaysAnswered: ReadonlySet<string>;
  lifecycle: Lifecycle;
}

/** Why a connection was closed. */
type LetGo = 'slow-body' | 'slow-read' | 'lingering' | 'headers' | 'idle';

/** What became of connections, for monitoring. */
export interface ConnectionFacts {
  /**
   * Notes a request that is answered without a hook.
   *
   * @param now `performance.now()`.
   * @returns Whether there is room for its connection.
   */
  begin(request: IncomingMessage, response: ServerResponse, now: number): boolean;
  readonly open: number;
  /** How many of them have an answer under way. */
  readonly working: number;
  /**
   * Told of each request that came to the application and whose connection ended before its answer was out, with how long
   * that took in milliseconds. No hook sees all of these.
   */
  onAbandoned: (request: FastifyRequest, response: ServerResponse, ms: number) => void;
  /** The request that a connection is at work on; from here on nobody is told if it is abandoned. */
  takeRequest(socket: Socket): FastifyRequest | undefined;
  /** Whether an answer has ended on our side and is still to be read by its client. */
  readonly flushing: boolean;
  /** Requests that came and whose answer has not gone out, the oldest first. `begun`: a part of it has. */
  unanswered(): { method: string; path: string; ageMs: number; begun: boolean }[];
  /** How many were let go, by reason. */
  readonly closed: Readonly<Record<LetGo | 'no-room', number>>;
}

declare module 'fastify' {
  interface FastifyInstance {
    connections: ConnectionFacts;
  }
}

const CONNECTION = Symbol('connection');
type Tracked = Socket & { [CONNECTION]?: Connection };

export const connections = fp<ConnectionsOptions>(async (app, options) => {
  const { server, most, trusts = () => false, alwaysAnswered, lifecycle } = options;
  const mostPerPeer = Math.max(MIN_PER_PEER, Math.ceil(most * PEER_SHARE));
  const open = new Set<Connection>();
  const peers = new Map<string, Peer>();
  const closed = { 'slow-body': 0, 'slow-read': 0, lingering: 0, headers: 0, idle: 0, 'no-room': 0 };
  let sweeper: NodeJS.Timeout | undefined;
  let headersLookedAt = 0;
  let warnedAt = Number.NEGATIVE_INFINITY;
  let draining = false;

  const peerOf = ({ remoteAddress }: Socket): Peer | undefined => {
    if (remoteAddress === undefined || trusts(remoteAddress)) return undefined;
    const key = clientKey(remoteAddress, remoteAddress);
    let peer = peers.get(key);
    if (peer === undefined) {
      peer = { key, connections: new Set() };
      peers.set(key, peer);
    }
    return peer;
  };

  const untrack = (connection: Connection) => {
    open.delete(connection);
    const { peer } = connection;
    peer?.connections.delete(connection);
    // The same address may have come back under a new entry meanwhile.
    if (peer?.connections.size === 0 && peers.get(peer.key) === peer) peers.delete(peer.key);
  };

  const track = (socket: Tracked, peer = peerOf(socket)): Connection => {
    const connection = new Connection(socket, peer);
    socket[CONNECTION] = connection;
    open.add(connection);
    peer?.connections.add(connection);
    sweeper ??= setInterval(sweep, SWEEP_MS).unref();
    socket.once('close', () => {
      untrack(connection);
      const { known, response, usedAt } = connection;
      if (known && response?.writableFinished === false) {
        facts.onAbandoned(known, response, performance.now() - usedAt);
      }
    });
    return connection;
  };

  /** Runs while a request is under way or to come. Counts its rounds, so that a frozen process finds nobody slow. */
  const sweep = () => {
    let watched = false;
    for (const connection of open) {
      const why = connection.measure(draining);
      if (why) letGo(connection, why);
      else if (connection.idle) connection.forget();
      watched ||= connection.watched;
    }
    limitHeaders();
    if (watched) return;
    clearInterval(sweeper);
    sweeper = undefined;
  };

  /** Closes connections whose headers are not all there, the oldest first, until what is here of them is not too much. */
  const limitHeaders = () => {
    headersLookedAt = performance.now();
    let bytes = 0;
    for (const connection of open) bytes += connection.unfinishedHeadersAtMost;
    if (bytes <= MAX_HEADER_BYTES) return;
    const unfinished = [...open].filter((connection) => connection.unfinishedHeadersAtMost > 0);
    unfinished.sort((a, b) => a.usedAt - b.usedAt);
    for (const connection of unfinished) {
      if (bytes <= MAX_HEADER_BYTES) return;
      bytes -= connection.unfinishedHeadersAtMost;
      untrack(connection);
      letGo(connection, 'headers');
    }
  };

  const letGo = (connection: Connection, why: LetGo) => {
    const { socket, response } = connection;
    closed[why]++;
    app.log.debug({ peer: socket.remoteAddress, why }, 'a connection was closed');
    if (why === 'slow-body' && response?.socket === socket && !response.headersSent) {
      // As Node itself tells of a request that did not arrive in time; the listener answers 408.
      const late = Object.assign(new Error('the body came too slowly'), {
        code: 'ERR_HTTP_REQUEST_TIMEOUT',
      });
      server.emit('clientError', late, socket);
      socket.destroySoon();
    } else if (why === 'idle' || why === 'headers') socket.destroy();
    // What waits in the system's buffers goes as well.
    else socket.resetAndDestroy();
  };

  /** Closes the idlest of them: first those that nobody waits for, then those on which nothing moves. */
  const makeRoom = (among: ReadonlySet<Connection>, most: number) => {
    // Some at once, so that a flood does not look through all of them for each of its connections.
    let places = Math.max(among.size - most + 1, Math.ceil(most / 100));
    for (const closable of ['spare', 'stalled'] as const) {
      const found = [...among].filter((connection) => connection[closable] && !connection.socket.destroyed);
      found.sort((a, b) => a.usedAt - b.usedAt);
      for (const connection of found.slice(0, places)) {
        untrack(connection);
        letGo(connection, 'idle');
        places--;
      }
      if (among.size < most) return;
    }
  };

  const onConnection = (socket: Socket) => {
    const peer = peerOf(socket);
    if (peer && peer.connections.size >= mostPerPeer) {
      makeRoom(peer.connections, mostPerPeer);
      warnOf(peer);
    }
    // Everyone else is at work: the newcomer stays until it is known what it wants.
    if (open.size >= most) makeRoom(open, most);
    const { usedAt } = track(socket, peer);
    if (usedAt - headersLookedAt > HEADERS_EVERY_MS) limitHeaders();
  };

  const warnOf = ({ key }: Peer) => {
    const now = performance.now();
    if (now - warnedAt < WARN_EVERY_MS) return;
    warnedAt = now;
    app.log.warn(
      { peer: key, connections: mostPerPeer },
      'one address holds as many connections as it may: for new ones its idlest are closed. If it is a proxy, name it in TRUST_PROXY',
    );
  };
  server.on('connection', onConnection);
  // Node drops what is beyond this number without a word; one more is let in, to be refused.
  server.maxHeadersCount = MAX_HEADERS + 1;

  const begin = (
    request: IncomingMessage,
    response: ServerResponse,
    now: number,
    known?: FastifyRequest,
  ): boolean => {
    const socket: Tracked = request.socket;
    // One that was open before the application was loaded is met here first.
    const connection = socket[CONNECTION] ?? (socket.destroyed === false ? track(socket) : undefined);
    if (connection) {
      connection.begin(request, response, now, known);
      sweeper ??= setInterval(sweep, SWEEP_MS).unref();
    }
    return open.size <= most && (connection?.peer?.connections.size ?? 0) <= mostPerPeer;
  };

  const facts: ConnectionFacts = {
    begin,
    get open() {
      return open.size;
    },
    get working() {
      let working = 0;
      for (const connection of open) if (connection.working) working++;
      return working;
    },
    onAbandoned: () => {},
    takeRequest(socket: Tracked) {
      const connection = socket[CONNECTION];
      const known = connection?.working ? connection.known : undefined;
      if (connection) connection.known = undefined;
      return known;
    },
    get flushing() {
      for (const { working, response } of open) if (working && response?.writableEnded) return true;
      return false;
    },
    unanswered() {
      const now = performance.now();
      return [...open]
        .filter((connection) => connection.working)
        .sort((a, b) => a.usedAt - b.usedAt)
        .map(({ request, response, usedAt }) => ({
          method: request?.method ?? '',
          path: pathOf(request?.url ?? ''),
          ageMs: Math.round(now - usedAt),
          begun: response?.headersSent === true,
        }));
    },
    closed,
  };
  app.decorate('connections', facts);
  app.addHook('onRequest', (request, reply, done) => {
    const { raw } = request;
    const hasRoom = begin(raw, reply.raw, performance.now(), request);
    if (raw.rawHeaders.length > 2 * MAX_HEADERS) {
      done(new ProblemError('headers-too-large', `A request may have ${MAX_HEADERS} headers.`));
    } else if (raw.headers.host === undefined && raw.httpVersion === '1.1') {
      reply.header('connection', 'close');
      done(new ProblemError('bad-request', 'A request of HTTP/1.1 has a Host header.'));
    } else if (!hasRoom && !alwaysAnswered.has(pathOf(raw.url ?? ''))) {
      closed['no-room']++;
      reply.header('connection', 'close');
      done(
        new ProblemError('unavailable', 'Too many connections are open. Try again in a moment.', {
          headers: { 'retry-after': '1' },
        }),
      );
    } else done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { socket }: { socket: Tracked } = request.raw;
    const connection = socket[CONNECTION];
    // A client that was answered early may still be sending a body.
    if (connection?.response === reply.raw) {
      if (connection.idle) connection.forget();
      else if (connection.lingering) connection.endIfMuchIsToCome();
    }
    done();
  });
  lifecycle.onTransition(({ to }) => {
    if (to !== 'draining') return;
    draining = true;
    for (const connection of open) if (connection.lingering) letGo(connection, 'lingering');
    for (const { response } of open) if (response?.headersSent === false) response.shouldKeepAlive = false;
  });
  app.addHook('onClose', async () => {
    server.off('connection', onConnection);
    clearInterval(sweeper);
  });
});

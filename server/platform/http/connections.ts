/**
 * Adds limits to connections: how slow one may be, how many there may be in all and from one address, and how many headers
 * a request may have.
 *
 * Slow is a rate, not a total: a client that sends a body or reads an answer at less than 1 KiB/s over 10 s is closed, and an
 * honest upload over a bad line may take any time. Slow headers are the port's concern (port.ts). When there are too many
 * connections, the idlest is closed for each new one. It stands first, so that it sees every request.
 */
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Lifecycle } from '../health/lifecycle.ts';
import { ProblemError, pathOf, unavailable } from '../lib/problem.ts';
import { throttled } from '../lib/throttled.ts';
import { Connection, type Peer } from './connection.ts';
import { clientKey } from './rate-limit/client-key.ts';

const SWEEP_MS = 1_000;
/** What unfinished headers may hold together, in bytes. Honest ones come in one piece. */
const MAX_HEADER_BYTES = 4 * 2 ** 20;
/** While connections come, headers are counted this often: a flood does not wait for the next sweep. In milliseconds. */
const HEADERS_EVERY_MS = 20;
/** The share of all connections that one address may have, and what some browsers need at least. */
const PEER_SHARE = 0.25;
const MIN_PER_PEER = 16;
/** In milliseconds. */
const WARN_EVERY_MS = 60_000;
/** Browsers send some 20 headers, proxies add a few; Node itself refuses more than 16 KiB. */
const MAX_HEADERS = 100;

export interface ConnectionsOptions {
  server: Server;
  /** Connections that may be open at once. */
  max: number;
  /** Whether an address is that of a proxy, which brings the connections of many clients. */
  trusts?: (address: string | undefined) => boolean;
  /** Paths that are answered even when there are too many connections. */
  alwaysAnswered: ReadonlySet<string>;
  lifecycle: Lifecycle;
}

type Reason = 'slow-body' | 'slow-read' | 'lingering' | 'headers' | 'idle' | 'no-room';

/** @param ms How long the request had taken, in milliseconds. */
type AbandonedListener = (request: FastifyRequest, response: ServerResponse, ms: number) => void;

declare module 'fastify' {
  interface FastifyInstance {
    connections: Connections;
  }
}

const CONNECTION = Symbol('connection');
type Tracked = Socket & { [CONNECTION]?: Connection };

/** All connections of the server. */
export class Connections {
  /** How many were closed or refused, by reason. */
  readonly closed: Record<Reason, number> = {
    'slow-body': 0,
    'slow-read': 0,
    lingering: 0,
    headers: 0,
    idle: 0,
    'no-room': 0,
  };
  readonly #open = new Set<Connection>();
  readonly #peers = new Map<string, Peer>();
  readonly #abandonedListeners = new Set<AbandonedListener>();
  readonly #options: ConnectionsOptions;
  readonly #maxPerPeer: number;
  readonly #log: FastifyBaseLogger;
  #sweeper: NodeJS.Timeout | undefined;
  #headersCountedAt = 0;

  constructor(options: ConnectionsOptions, log: FastifyBaseLogger) {
    const { server, max } = options;
    this.#options = options;
    this.#maxPerPeer = Math.max(MIN_PER_PEER, Math.ceil(max * PEER_SHARE));
    this.#log = log;
    server.on('connection', this.#onConnection);
    server.on('timeout', this.#onTimeout);
    // Node drops headers beyond this number without an error; one more is let in, to be refused.
    server.maxHeadersCount = MAX_HEADERS + 1;
  }

  get open(): number {
    return this.#open.size;
  }

  /** How many have an answer under way. */
  get working(): number {
    let working = 0;
    for (const connection of this.#open) if (connection.working) working++;
    return working;
  }

  /** Whether a connection has an answer under way. */
  isWorking(socket: Tracked): boolean {
    return socket[CONNECTION]?.working === true;
  }

  /** Whether an answer has ended on our side and its client still has to read it. */
  get flushing(): boolean {
    for (const { working, response } of this.#open) if (working && response?.writableEnded) return true;
    return false;
  }

  /** @returns Requests whose answer has not gone out, the oldest first. `begun`: a part of it has. */
  unanswered(): { method: string; path: string; ageMs: number; begun: boolean }[] {
    const now = performance.now();
    const working = [...this.#open].filter((connection) => connection.working);
    return working.sort(byUse).map(({ request, response, usedAt }) => ({
      method: request?.method ?? '',
      path: pathOf(request?.url ?? ''),
      ageMs: Math.round(now - usedAt),
      begun: response?.headersSent === true,
    }));
  }

  /** Calls `listener` for each request whose connection ends before its answer is out. No hook sees all of these. */
  onAbandoned(listener: AbandonedListener): void {
    this.#abandonedListeners.add(listener);
  }

  /** @returns The request under way on a connection; it is not reported as abandoned any more. */
  takeRequest(socket: Tracked): FastifyRequest | undefined {
    const connection = socket[CONNECTION];
    const known = connection?.working ? connection.known : undefined;
    if (connection) connection.known = undefined;
    return known;
  }

  /** A request has come. @returns Whether there is room for its connection. */
  begin(request: FastifyRequest, reply: FastifyReply): boolean {
    const socket: Tracked = request.raw.socket;
    // One that was opened before the application was loaded is met here first; one of `inject` is no socket.
    const connection = socket[CONNECTION] ?? (socket.destroyed === false ? this.#track(socket) : undefined);
    if (connection === undefined) return true;
    connection.begin(request, reply.raw);
    this.#startSweeping();
    const ofPeer = connection.peer?.connections.size ?? 0;
    return this.open <= this.#options.max && ofPeer <= this.#maxPerPeer;
  }

  /** A request has been answered. */
  end(request: FastifyRequest, reply: FastifyReply): void {
    const connection = (request.raw.socket as Tracked)[CONNECTION];
    if (connection?.response !== reply.raw) return;
    if (connection.idle) connection.forget();
    // The client was answered early, and may still be sending a body.
    else if (connection.lingering) connection.linger();
  }

  /** Draining begins: what is under way closes its connection with its answer; the port sees to later requests. */
  drain(): void {
    for (const connection of this.#open) {
      connection.sweeps = 0;
      if (connection.lingering) this.#close(connection, 'lingering');
      else if (connection.response?.headersSent === false) connection.response.shouldKeepAlive = false;
    }
  }

  stop(): void {
    const { server } = this.#options;
    server.off('connection', this.#onConnection);
    server.off('timeout', this.#onTimeout);
    clearInterval(this.#sweeper);
  }

  readonly #onConnection = (socket: Socket): void => {
    const { max } = this.#options;
    const peer = this.#peerOf(socket);
    if (peer && peer.connections.size >= this.#maxPerPeer) {
      this.#makeRoom(peer.connections, this.#maxPerPeer);
      this.#warnOf(peer);
    }
    // When all others are busy, the new one stays until its request is known.
    if (this.open >= max) this.#makeRoom(this.#open, max);
    const { usedAt } = this.#track(socket, peer);
    if (usedAt - this.#headersCountedAt > HEADERS_EVERY_MS) this.#limitHeaders();
  };

  /** With a listener, Node leaves all time-outs to it, those of kept-alive connections among them. */
  readonly #onTimeout = (socket: Tracked): void => {
    const connection = socket[CONNECTION];
    if (connection === undefined || connection.idle) socket.destroy();
    else if (connection.sending && connection.stall()) this.#close(connection, 'slow-read');
  };

  #peerOf({ remoteAddress }: Socket): Peer | undefined {
    if (remoteAddress === undefined || this.#options.trusts?.(remoteAddress)) return undefined;
    const key = clientKey(remoteAddress, remoteAddress);
    const peer = this.#peers.get(key) ?? { key, connections: new Set() };
    this.#peers.set(key, peer);
    return peer;
  }

  #track(socket: Tracked, peer = this.#peerOf(socket)): Connection {
    const connection = new Connection(socket, peer);
    socket[CONNECTION] = connection;
    this.#open.add(connection);
    peer?.connections.add(connection);
    this.#startSweeping();
    socket.once('close', () => {
      this.#untrack(connection);
      const { known, response, usedAt } = connection;
      if (known === undefined || response?.writableFinished !== false) return;
      for (const listener of this.#abandonedListeners) listener(known, response, performance.now() - usedAt);
    });
    return connection;
  }

  #untrack(connection: Connection): void {
    const { peer } = connection;
    if (!this.#open.delete(connection) || !peer) return;
    peer.connections.delete(connection);
    if (peer.connections.size === 0) this.#peers.delete(peer.key);
  }

  /** Runs while a request is under way or to come. */
  #startSweeping(): void {
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** Counts sweeps, not time, so that after a freeze nobody is slow. */
  #sweep(): void {
    const draining = this.#options.lifecycle.state === 'draining';
    let watched = false;
    for (const connection of this.#open) {
      const reason = connection.sweep(draining);
      if (reason) this.#close(connection, reason);
      watched ||= connection.watched;
    }
    this.#limitHeaders();
    if (watched) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  /** Closes connections with unfinished headers, the oldest first, until the rest fits the limit. */
  #limitHeaders(): void {
    this.#headersCountedAt = performance.now();
    let bytes = 0;
    for (const { unfinishedHeaders } of this.#open) bytes += unfinishedHeaders;
    if (bytes <= MAX_HEADER_BYTES) return;
    const unfinished = [...this.#open].filter(({ unfinishedHeaders }) => unfinishedHeaders > 0);
    for (const connection of unfinished.sort(byUse)) {
      if (bytes <= MAX_HEADER_BYTES) return;
      bytes -= connection.unfinishedHeaders;
      this.#close(connection, 'headers');
    }
  }

  /** Closes the idlest: first those without a request, then those on which nothing moves. */
  #makeRoom(among: ReadonlySet<Connection>, max: number): void {
    // Several at once, so that a flood does not sort all of them for each of its connections.
    const places = Math.max(among.size - max + 1, Math.ceil(max / 100));
    const alive = [...among].filter(({ socket }) => !socket.destroyed);
    const spare = alive.filter((connection) => connection.spare);
    const closable = spare.length > 0 ? spare : alive.filter((connection) => connection.stalled);
    for (const connection of closable.sort(byUse).slice(0, places)) this.#close(connection, 'idle');
  }

  #close(connection: Connection, reason: Reason): void {
    const { socket, response } = connection;
    this.closed[reason]++;
    this.#log.debug({ peer: socket.remoteAddress, reason }, 'connection closed');
    if (reason === 'slow-body' && response?.socket === socket && !response.headersSent) {
      // As Node itself reports a request that is late; the listener answers 408.
      const late = Object.assign(new Error('the body came too slowly'), {
        code: 'ERR_HTTP_REQUEST_TIMEOUT',
      });
      this.#options.server.emit('clientError', late, socket);
      socket.destroySoon();
    } else if (reason === 'idle' || reason === 'headers') {
      this.#untrack(connection);
      socket.destroy();
    }
    // What waits in the system's buffers goes as well.
    else socket.resetAndDestroy();
  }

  readonly #warnOf = throttled(WARN_EVERY_MS, ({ key }: Peer) =>
    this.#log.warn(
      { peer: key, connections: this.#maxPerPeer },
      'one address has reached its limit of connections: for new ones its idlest are closed. If it is a proxy, name it in TRUST_PROXY',
    ),
  );
}

const byUse = (a: Connection, b: Connection) => a.usedAt - b.usedAt;

export const connections = fp<ConnectionsOptions>(async (app, options) => {
  const { alwaysAnswered, lifecycle } = options;
  const all = new Connections(options, app.log);
  app.decorate('connections', all);
  lifecycle.onTransition(({ to }) => {
    if (to === 'draining') all.drain();
  });
  app.addHook('onClose', async () => all.stop());

  app.addHook('onRequest', (request, reply, done) => {
    const { rawHeaders, headers, httpVersion, url = '' } = request.raw;
    const hasRoom = all.begin(request, reply);
    if (rawHeaders.length > 2 * MAX_HEADERS) {
      done(new ProblemError('headers-too-large', `A request may have ${MAX_HEADERS} headers.`));
    } else if (headers.host === undefined && httpVersion === '1.1') {
      reply.header('connection', 'close');
      done(new ProblemError('bad-request', 'A request of HTTP/1.1 has a Host header.'));
    } else if (!hasRoom && !alwaysAnswered.has(pathOf(url))) {
      all.closed['no-room']++;
      reply.header('connection', 'close');
      done(unavailable('Too many connections are open. Try again in a moment.'));
    } else done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    all.end(request, reply);
    done();
  });
});

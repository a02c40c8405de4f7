/**
 * Adds limits to the connections themselves: how slow one may be, how many there may be, and how many headers a request
 * has.
 *
 * Slow is a rate, never a total: whoever sends a body or reads an answer at less than 1 KiB/s over 10 s is let go, and an
 * honest upload over a bad line may last as long as it likes. Slow headers are the port's concern (port.ts). Where there
 * are too many connections, the idlest is closed for each new one. What is under way when draining begins closes its
 * connection with its answer, as the port sees to for later requests. It stands first, so that it sees every request.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Lifecycle } from '../health/lifecycle.ts';
import { ProblemError, pathOf } from '../lib/problem.ts';

/** Under this many bytes a second, over so many seconds, a client is slow. */
const SLOW_RATE = 1_024;
const SLOW_SECONDS = 10;
const SWEEP_MS = 1_000;
/** Browsers send some 20 headers, proxies add a few; what is longer than Node's 16 KiB is refused before. */
const MOST_HEADERS = 100;

export interface ConnectionsOptions {
  server: Server;
  /** Connections that may be open at once. */
  most: number;
  /** Paths that are answered even where there is no place left. */
  alwaysAnswered: ReadonlySet<string>;
  lifecycle: Lifecycle;
}

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
  /** Requests that came and whose answer has not gone out, the oldest first. `begun`: a part of it has. */
  unanswered(): { method: string; path: string; ageMs: number; begun: boolean }[];
  /** How many were let go, by reason. */
  readonly closed: Readonly<Record<'slow-body' | 'slow-read' | 'idle' | 'no-room', number>>;
}

declare module 'fastify' {
  interface FastifyInstance {
    connections: ConnectionFacts;
  }
}

/** A socket's counters and its last request. Several at once (pipelining) are answered in order, so the last ends last. */
class Connection {
  readonly socket: Socket;
  request: IncomingMessage | undefined;
  response: ServerResponse | undefined;
  /** The same request as the application knows it, if it came that far. */
  known: FastifyRequest | undefined;
  /** When it last began a request or was opened (`performance.now()`). */
  usedAt = performance.now();
  /** Bytes of answers that the system has taken. */
  #sent = 0;
  #written = 0;
  #queued = 0;
  /** What had moved at each of the last sweeps, while there was something to move. */
  readonly #received: number[] = [];
  readonly #delivered: number[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** The client is to send more of a body, and we would take it. */
  get receiving(): boolean {
    const { request } = this;
    return (
      request !== undefined && !request.complete && request.readableLength < request.readableHighWaterMark
    );
  }

  /** The client is to read more of an answer. */
  get sending(): boolean {
    return this.socket.writableLength > 0;
  }

  get working(): boolean {
    const { response } = this;
    return response !== undefined && !response.writableFinished && !response.destroyed;
  }

  /** Between two requests, or before the first. */
  get idle(): boolean {
    return !this.working && !this.sending && this.request?.complete !== false;
  }

  /** Whether nothing has moved since the sweep before last, although something should. */
  get stalled(): boolean {
    return [this.#received, this.#delivered].some(
      (marks) => marks.length > 1 && marks.at(-1) === marks.at(-2),
    );
  }

  forget(): void {
    this.request = undefined;
    this.response = undefined;
    this.known = undefined;
  }

  /** Looks at what has moved. @returns Why it is to be let go, if it is. */
  measure(): 'slow-body' | 'slow-read' | undefined {
    this.#count();
    if (tooSlow(this.#received, this.receiving, this.socket.bytesRead)) return 'slow-body';
    if (tooSlow(this.#delivered, this.sending, this.#sent)) return 'slow-read';
    return undefined;
  }

  /** Whole writes count when they are through, the one that is under way by what has left its queue. */
  #count(): void {
    const { socket } = this;
    const written = socket.bytesWritten - socket.writableLength;
    // The only place that tells how far one long write has come; without it such a reader would look slow.
    const queued =
      (socket as unknown as { _handle?: { writeQueueSize?: number } })._handle?.writeQueueSize ?? 0;
    this.#sent += written > this.#written ? written - this.#written : Math.max(0, this.#queued - queued);
    this.#written = written;
    this.#queued = queued;
  }
}

/** Notes one more sweep. @returns Whether too little moved over the last ten seconds, all of which it had to move in. */
function tooSlow(marks: number[], moving: boolean, bytes: number): boolean {
  if (!moving) {
    marks.length = 0;
    return false;
  }
  marks.push(bytes);
  if (marks.length <= SLOW_SECONDS) return false;
  return bytes - (marks.shift() as number) < SLOW_RATE * SLOW_SECONDS;
}

const CONNECTION = Symbol('connection');
type Tracked = Socket & { [CONNECTION]?: Connection };

export const connections = fp<ConnectionsOptions>(async (app, options) => {
  const { server, most, alwaysAnswered, lifecycle } = options;
  const open = new Set<Connection>();
  const closed = { 'slow-body': 0, 'slow-read': 0, idle: 0, 'no-room': 0 };
  let sweeper: NodeJS.Timeout | undefined;

  const track = (socket: Tracked): Connection => {
    const connection = new Connection(socket);
    socket[CONNECTION] = connection;
    open.add(connection);
    socket.once('close', () => {
      open.delete(connection);
      const { known, response, usedAt } = connection;
      if (known && response?.writableFinished === false) {
        facts.onAbandoned(known, response, performance.now() - usedAt);
      }
    });
    return connection;
  };

  /** Runs while a request is under way, and only then. Counts its rounds, so that a frozen process finds nobody slow. */
  const sweep = () => {
    let working = false;
    for (const connection of open) {
      const why = connection.measure();
      if (why) letGo(connection, why);
      else if (!connection.idle) working = true;
      else connection.forget();
    }
    if (working) return;
    clearInterval(sweeper);
    sweeper = undefined;
  };

  const letGo = (connection: Connection, why: keyof typeof closed) => {
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
    } else if (why === 'idle') socket.destroy();
    // What waits in the system's buffers goes as well.
    else socket.resetAndDestroy();
  };

  /** Closes the idlest of all: first those between requests, then those on which nothing moves. */
  const makeRoom = () => {
    // Some at once, so that a flood does not look through all of them for each of its connections.
    let places = Math.max(open.size - most + 1, Math.ceil(most / 100));
    for (const closable of ['idle', 'stalled'] as const) {
      const found = [...open].filter((connection) => connection[closable] && !connection.socket.destroyed);
      found.sort((a, b) => a.usedAt - b.usedAt);
      for (const connection of found.slice(0, places)) {
        open.delete(connection);
        letGo(connection, 'idle');
        places--;
      }
      if (open.size < most) return;
    }
  };

  const onConnection = (socket: Socket) => {
    // Everyone else is at work: the newcomer stays until it is known what it wants.
    if (open.size >= most) makeRoom();
    track(socket);
  };
  server.on('connection', onConnection);
  // Node drops what is beyond this number without a word; one more is let in, to be refused.
  server.maxHeadersCount = MOST_HEADERS + 1;

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
      connection.request = request;
      connection.response = response;
      connection.known = known;
      connection.usedAt = now;
      sweeper ??= setInterval(sweep, SWEEP_MS).unref();
    }
    return open.size <= most;
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
    if (raw.rawHeaders.length > 2 * MOST_HEADERS) {
      done(new ProblemError('headers-too-large', `A request may have ${MOST_HEADERS} headers.`));
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
  // An idle connection keeps nothing of its last request: it would be copied by each collection.
  app.addHook('onResponse', (request, reply, done) => {
    const { socket }: { socket: Tracked } = request.raw;
    const connection = socket[CONNECTION];
    // Whoever was answered early may still be sending a body, slowly.
    if (connection?.response === reply.raw && connection.idle) connection.forget();
    done();
  });
  lifecycle.onTransition(({ to }) => {
    if (to !== 'draining') return;
    for (const { response } of open) if (response?.headersSent === false) response.shouldKeepAlive = false;
  });
  app.addHook('onClose', async () => {
    server.off('connection', onConnection);
    clearInterval(sweeper);
  });
});

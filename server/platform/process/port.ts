import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, createServer as createListener, Server as Listener, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ListenAddress } from '../config/config.ts';
import { settleShapes } from '../lib/settled-shapes.ts';
import { throttled } from '../lib/throttled.ts';
import { MIB } from '../lib/units.ts';
import { mayUpgrade } from '../lib/upgrades.ts';

/** Requests that may wait for the application to be loaded; a cold start lasts a fraction of a second. */
const MAX_WAITING = 2_000;
/**
 * What the bodies of those may hold, in bytes, and what one holds before it is read at most: a stream's high-water mark of
 * 64 KiB, and one read from the socket.
 */
const MAX_WAITING_BYTES = 16 * MIB;
const STREAM_BYTES = 128 * 1_024;
/**
 * How long the headers of a request may take, in milliseconds. Node counts from when it accepts the connection, and loading the
 * application may block the process for longer than 5 s before it reads the first byte.
 */
const HEADERS_MS = 5_000;
const HEADERS_WHILE_LOADING_MS = 60_000;
/** How long the longer limit still holds after loading, in milliseconds: what has arrived meanwhile is read first. */
const LOADED_MS = 1_000;
/** Long enough for the first request of a new connection to arrive, in milliseconds. */
const SILENT_MS = 1_000;
/** After we end an upgraded connection, such as a WebSocket, its client has this long to close it. In milliseconds. */
const UPGRADED_CLOSE_MS = 1_000;
/** The options with which an HTTP server of Node accepts connections; a plain listener has others by default. */
const AS_HTTP = { allowHalfOpen: true, noDelay: true } as const;
/** In development this many ports after the requested one are tried. */
const PORTS_TO_TRY = 20;
/** Accept errors come in thousands; one is reported in this time, in milliseconds. */
const ACCEPT_ERROR_PAUSE_MS = 10_000;

export interface PortOptions {
  /** Take the next free port if the requested one is in use. */
  mayMove?: boolean;
  /** Of the settings that name the address, `HOST` and `PORT`, for errors. */
  prefix?: '' | 'METRICS_';
  /** Called when connections cannot be accepted, such as when no file descriptor is left; once in ten seconds at most. */
  onAcceptError?: (error: Error) => void;
}

/**
 * Opens the port before anything else is loaded, so that a cold start refuses no request.
 *
 * @param address Where to listen: one server behind every address, so that limits and drains see all connections.
 * @param answerEarly Answers what needs no application (the probes); returns false for everything else, which waits.
 * @throws Error with a remedy when the port cannot be opened.
 */
export async function openPort(
  { hosts, port: wanted }: Pick<ListenAddress, 'hosts' | 'port'>,
  answerEarly: (request: IncomingMessage, response: ServerResponse) => boolean,
  { mayMove = false, prefix = '', onAcceptError = () => {} }: PortOptions = {},
): Promise<OpenPort> {
  settleShapes();
  const server = createServer({
    // Slow headers are looked for every second; Node's own 30 would let a stalled client stay for half a minute.
    connectionsCheckingInterval: 1_000,
    headersTimeout: HEADERS_WHILE_LOADING_MS,
    // A body may take its time as long as it comes at all, which platform/http/connections.ts sees to.
    requestTimeout: 0,
    // platform/http/connections.ts refuses a request without Host, so that it is logged and counted.
    requireHostHeader: false,
    shouldUpgradeCallback: mayUpgrade,
  });
  const last = mayMove && wanted !== 0 ? wanted + PORTS_TO_TRY : wanted;
  for (let port = wanted; ; port++) {
    try {
      const listeners = await listen(server, hosts, port);
      reportAcceptErrors(listeners, onAcceptError);
      return new OpenPort(server, listeners, answerEarly, port === wanted ? undefined : wanted);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE' && port < last) continue;
      throw new Error(listenErrorMessage(error as NodeJS.ErrnoException, hosts, port, prefix), {
        cause: error,
      });
    }
  }
}

/** A server that listens, and the requests that wait until the application is loaded. */
export class OpenPort {
  readonly server: Server;
  readonly port: number;
  /** The port that was requested and is in use, where another was opened instead. */
  readonly insteadOf: number | undefined;
  readonly #listeners: readonly Listener[];
  readonly #early: RequestListener;
  readonly #waiting: [IncomingMessage, ServerResponse][] = [];
  #waitingBytes = 0;
  readonly #acceptedAt = new Map<Socket, number>();
  /** Connections that a library has taken over, such as WebSockets; the time at which we ended each of them. */
  readonly #upgraded = new Map<Duplex, number | undefined>();

  constructor(
    server: Server,
    listeners: readonly [Listener, ...Listener[]],
    answerEarly: (request: IncomingMessage, response: ServerResponse) => boolean,
    insteadOf: number | undefined,
  ) {
    this.server = server;
    this.port = portOf(listeners[0]);
    this.insteadOf = insteadOf;
    this.#listeners = listeners;
    this.#early = (request, response) => {
      if (!answerEarly(request, response)) this.#keep(request, response);
    };
    server.on('request', this.#early);
    // To Node a connection without a first request, as browsers open in advance, is busy.
    server.on('connection', (socket) => {
      this.#acceptedAt.set(socket, performance.now());
      socket.once('close', () => this.#acceptedAt.delete(socket));
    });
    // Node no longer closes those.
    server.on('upgrade', (_request, socket) => {
      this.#upgraded.set(socket, undefined);
      socket.once('close', () => this.#upgraded.delete(socket));
    });
  }

  /** Passes everything to the application from now on, first what has waited for it. */
  handOver(handler: RequestListener): void {
    this.server.off('request', this.#early).on('request', handler);
    setTimeout(() => {
      this.server.headersTimeout = HEADERS_MS;
    }, LOADED_MS).unref();
    for (const [request, response] of this.#waiting.splice(0)) {
      if (!response.destroyed) handler(request, response);
    }
  }

  /** Makes every answer from now on the last one of its connection, with `Connection: close`. */
  closeAfterAnswers(): void {
    // Before any other listener; Node then adds the header by itself.
    this.server.prependListener('request', (_request, response) => {
      response.shouldKeepAlive = false;
    });
  }

  /**
   * For the drain: closes connections that have sent nothing for a second, and ends upgraded ones, which are destroyed if
   * they are still open a second later.
   */
  closeSilentConnections(): void {
    const now = performance.now();
    for (const [socket, at] of this.#acceptedAt)
      if (socket.bytesRead === 0 && at < now - SILENT_MS) socket.destroy();
    for (const [socket, endedAt] of this.#upgraded) {
      if (endedAt === undefined) {
        this.#upgraded.set(socket, now);
        // A library that goes on writing must not cause an error that ends the process.
        socket.on('error', () => {}).end();
      } else if (endedAt < now - UPGRADED_CLOSE_MS) socket.destroy();
    }
  }

  /** Accepts no new connections. Open ones live on; resolves when the last one has ended. */
  async stopListening(): Promise<void> {
    await Promise.all(this.#listeners.map(closed));
  }

  #keep(request: IncomingMessage, response: ServerResponse): void {
    const { 'content-length': length = 0, 'transfer-encoding': encoding } = request.headers;
    const bytes = Math.min(Number(length), STREAM_BYTES);
    // A chunked body in pieces of one byte takes much more memory than its length, which is unknown as well.
    const fits = encoding === undefined && this.#waitingBytes + bytes <= MAX_WAITING_BYTES;
    if (this.#waiting.length < MAX_WAITING && fits) {
      this.#waitingBytes += bytes;
      this.#waiting.push([request, response]);
    } else response.writeHead(503, { 'retry-after': '1', 'content-length': 0 }).end();
  }
}

/** An `error` event without a listener would end the process; here it concerns one connection. */
function reportAcceptErrors(listeners: readonly Listener[], report: (error: Error) => void): void {
  const onError = throttled(ACCEPT_ERROR_PAUSE_MS, report);
  for (const listener of listeners) listener.on('error', onError);
}

/** Listens on every address, or on none. All but the first are plain listeners that pass connections to the HTTP server. */
async function listen(
  server: Server,
  hosts: readonly string[],
  port: number,
): Promise<[Listener, ...Listener[]]> {
  const listeners: Listener[] = [];
  try {
    for (const host of hosts) {
      const [first] = listeners;
      const listener = first
        ? createListener(AS_HTTP, (socket) => server.emit('connection', socket))
        : server;
      try {
        // A port chosen by the system (0) is chosen once, for every address.
        await opened(listener, host, port === 0 && first ? portOf(first) : port);
        listeners.push(listener);
      } catch (error) {
        // A machine without IPv6 has no ::1; the other loopback address is enough.
        const { code = '' } = error as NodeJS.ErrnoException;
        if (hosts.length === 1 || !['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(code)) throw error;
      }
    }
    const [first, ...others] = listeners;
    if (first === undefined) throw Object.assign(new Error('no address'), { code: 'EADDRNOTAVAIL' });
    return [first, ...others];
  } catch (error) {
    await Promise.all(listeners.map(closed));
    throw error;
  }
}

async function opened(listener: Listener, host: string, port: number): Promise<void> {
  listener.listen({ host, port, backlog: 4_096 });
  await once(listener, 'listening');
}

const portOf = (listener: Listener) => (listener.address() as AddressInfo).port;

/** As a plain listener: an HTTP server's own `close` also closes connections whose answer is not read yet. */
const closed = (listener: Listener) =>
  new Promise((resolve) => Listener.prototype.close.call(listener, resolve));

function listenErrorMessage(
  error: NodeJS.ErrnoException,
  hosts: readonly string[],
  port: number,
  prefix: string,
): string {
  const where = hosts.map((host) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(' and ');
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${port} is in use (${where}). Stop what uses it, or set ${prefix}PORT to another one.`;
    case 'EACCES':
      return `This user may not open port ${port} (${where}). Set ${prefix}PORT to one above 1023.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `This machine has no address ${hosts.join(', ')}. Set ${prefix}HOST to one it has, or to 0.0.0.0 for all of them.`;
    default:
      return `Cannot listen on ${where}: ${error.message}. ${prefix}HOST and ${prefix}PORT decide where.`;
  }
}

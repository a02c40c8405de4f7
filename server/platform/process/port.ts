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
import { QuickResponse } from '../http/quick-response.ts';
import { settleShapes } from '../lib/settled-shapes.ts';

/** Requests that may wait for the application to be loaded; a cold start lasts a fraction of a second. */
const MAX_WAITING = 2_000;
/**
 * What the bodies of those may hold, in bytes, and what one holds before it is read at most: a stream's high-water mark of
 * 64 KiB, and one read from the socket.
 */
const MAX_WAITING_BYTES = 16 * 2 ** 20;
const STREAM_BYTES = 128 * 1_024;
/** Long enough for the first request of a new connection to arrive, in milliseconds. */
const SILENT_MS = 1_000;
/** A client that has been upgraded, as to a WebSocket, gets this long to close once we have, in milliseconds. */
const UPGRADED_CLOSE_MS = 1_000;
/** How an HTTP server of Node takes its connections; a plain listener would not. */
const AS_HTTP = { allowHalfOpen: true, noDelay: true } as const;
/** In development so many ports after the wanted one are tried. */
const PORTS_TO_TRY = 20;
/** Where connections cannot be taken, none of thousands can; one word of it in this time is enough. In milliseconds. */
const NO_ROOM_SAID_MS = 10_000;

export interface OpenPort {
  server: Server;
  port: number;
  /** The port that was wanted and is taken, where another was opened instead. */
  insteadOf: number | undefined;
  /** Told of connections that could not be taken, at most once in ten seconds: the system has no room for them. */
  onNoRoom: (error: Error) => void;
  /** Passes everything to the application from now on, first what has waited for it. */
  handOver(handler: RequestListener): void;
  /** Makes every answer from now on the last one of its connection, and has it say so. */
  closeAfterAnswers(): void;
  /**
   * For the drain: closes connections that have not said a word for a second, and those that a library has taken over, such
   * as WebSockets: first from our side, and a second later for good.
   */
  closeSilentConnections(): void;
  /** Takes no new connections. Open ones live on; resolves when the last one has ended. */
  stopListening(): Promise<void>;
}

/**
 * Opens the port before anything else is loaded, so that a cold start refuses nobody.
 *
 * @param address Where to listen: one server behind every address, so that limits and drains see all connections.
 * @param answerEarly Answers what needs no application (the probes); returns false for everything else, which waits.
 * @param mayMove Take the next free port when the wanted one is taken.
 * @param prefix Of the settings that name the address, `HOST` and `PORT`, for errors.
 * @throws Error with a remedy when the port cannot be opened.
 */
export async function openPort(
  address: Pick<ListenAddress, 'hosts' | 'port'>,
  answerEarly: (request: IncomingMessage, response: ServerResponse) => boolean,
  mayMove: boolean,
  prefix: '' | 'METRICS_' = '',
): Promise<OpenPort> {
  let waiting: [IncomingMessage, ServerResponse][] | undefined = [];
  let waitingBytes = 0;
  const early: RequestListener = (request, response) => {
    if (answerEarly(request, response)) return;
    const { 'content-length': length = 0, 'transfer-encoding': encoding } = request.headers;
    const bytes = Math.min(Number(length), STREAM_BYTES);
    // What a chunked body holds in pieces of a byte cannot be told.
    const fits = encoding === undefined && waitingBytes + bytes <= MAX_WAITING_BYTES;
    if (waiting !== undefined && waiting.length < MAX_WAITING && fits) {
      waitingBytes += bytes;
      waiting.push([request, response]);
    } else response.writeHead(503, { 'retry-after': '1', 'content-length': 0 }).end();
  };
  settleShapes(QuickResponse);
  const server = createServer(
    {
      // Slow headers are looked for every second; Node's own 30 would let a stalled client stay for half a minute.
      connectionsCheckingInterval: 1_000,
      headersTimeout: 5_000,
      // A body may take its time as long as it comes at all, which platform/http/connections.ts sees to.
      requestTimeout: 0,
      // Node would refuse it without telling anybody; platform/http/connections.ts does, and it is logged and counted.
      requireHostHeader: false,
      ServerResponse: QuickResponse,
    },
    early,
  );

  // Node takes a connection without a first request, as browsers open in advance, for one in the middle of it.
  const acceptedAt = new Map<Socket, number>();
  server.on('connection', (socket) => {
    acceptedAt.set(socket, performance.now());
    socket.once('close', () => acceptedAt.delete(socket));
  });

  // What a library takes over is no longer Node's to close. Node upgrades as soon as anybody listens for it, so this one
  // begins with the first who does.
  const upgraded = new Map<Duplex, { closedAt?: number }>();
  server.on('newListener', function begin(event) {
    if (event !== 'upgrade') return;
    server.off('newListener', begin);
    server.on('upgrade', (_request, socket) => {
      upgraded.set(socket, {});
      socket.once('close', () => upgraded.delete(socket));
    });
  });

  const wanted = address.port;
  const last = mayMove && wanted !== 0 ? wanted + PORTS_TO_TRY : wanted;
  for (let port = wanted; ; port++) {
    try {
      const listeners = await listen(server, address.hosts, port);
      let saidAt = Number.NEGATIVE_INFINITY;
      const open: OpenPort = {
        onNoRoom: () => {},
        server,
        port: portOf(listeners[0]),
        insteadOf: port === wanted ? undefined : wanted,
        handOver(handler) {
          server.off('request', early).on('request', handler);
          const held = waiting ?? [];
          waiting = undefined;
          for (const [request, response] of held) if (!response.destroyed) handler(request, response);
        },
        closeAfterAnswers() {
          // Before any other listener, whoever answers: Node adds the header by itself.
          server.prependListener('request', (_request, response) => {
            response.shouldKeepAlive = false;
          });
        },
        closeSilentConnections() {
          const now = performance.now();
          for (const [socket, at] of acceptedAt)
            if (socket.bytesRead === 0 && at < now - SILENT_MS) socket.destroy();
          for (const [socket, state] of upgraded) {
            if (state.closedAt === undefined) {
              state.closedAt = now;
              // Whoever writes on, as it may not have heard of the drain, is to meet no error that ends the process.
              socket.on('error', () => {}).end();
            } else if (state.closedAt < now - UPGRADED_CLOSE_MS) socket.destroy();
          }
        },
        async stopListening() {
          await Promise.all(listeners.map(closed));
        },
      };
      // An error that nobody listens for would end the process; here it is one visitor who could not come in.
      for (const listener of listeners) {
        listener.on('error', (error) => {
          if (performance.now() - saidAt < NO_ROOM_SAID_MS) return;
          saidAt = performance.now();
          open.onNoRoom(error);
        });
      }
      return open;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || port >= last) {
        throw new Error(whyNot(error as NodeJS.ErrnoException, address.hosts, port, prefix), {
          cause: error,
        });
      }
    }
  }
}

/**
 * Listens on every address, or on none of them.
 *
 * Further addresses are plain listeners that hand their connections to the one HTTP server.
 */
async function listen(
  server: Server,
  hosts: readonly string[],
  port: number,
): Promise<[Listener, ...Listener[]]> {
  const listeners: Listener[] = [];
  try {
    for (const host of hosts) {
      const listener =
        listeners.length === 0
          ? server
          : createListener(AS_HTTP, (socket) => server.emit('connection', socket));
      try {
        // A system-chosen port (0) is chosen once; the other addresses follow it.
        const chosen = port === 0 && listeners[0] ? portOf(listeners[0]) : port;
        await opened(listener, host, chosen);
        listeners.push(listener);
      } catch (error) {
        // A machine without IPv6 has no ::1; the other loopback address is enough.
        const missing = ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(
          (error as NodeJS.ErrnoException).code ?? '',
        );
        if (!missing || hosts.length === 1) throw error;
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

function opened(listener: Listener, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(error);
    listener.once('error', failed);
    listener.listen({ host, port, backlog: 4_096 }, () => {
      listener.off('error', failed);
      resolve();
    });
  });
}

const portOf = (listener: Listener) => (listener.address() as AddressInfo).port;

/** As a plain listener: an HTTP server's own `close` also closes connections whose answer is not read yet. */
const closed = (listener: Listener) =>
  new Promise((resolve) => Listener.prototype.close.call(listener, resolve));

function whyNot(
  error: NodeJS.ErrnoException,
  hosts: readonly string[],
  port: number,
  prefix: string,
): string {
  const where = hosts.map((host) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(' and ');
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${port} is taken (${where}). Stop what uses it, or set ${prefix}PORT to another one.`;
    case 'EACCES':
      return `Port ${port} may not be opened by this user (${where}). Set ${prefix}PORT to one above 1023.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `This machine has no address ${hosts.join(', ')}. Set ${prefix}HOST to one it has, or to 0.0.0.0 for all of them.`;
    default:
      return `Cannot listen on ${where}: ${error.message}. ${prefix}HOST and ${prefix}PORT decide where.`;
  }
}

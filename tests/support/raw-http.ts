import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/** @returns Headers as lines of a request that is sent as it is. */
export const headerLines = (headers: Readonly<Record<string, string>>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');

/**
 * Sends bytes as they are, and reads one answer: for what no HTTP client would send.
 *
 * @param address As `http://127.0.0.1:1234`.
 * @param parts Sent one after the other, `pauseMs` apart.
 */
export async function sendRaw(address: string, parts: string[], pauseMs = 0): Promise<RawAnswer> {
  await using connection = await openRaw(address);
  for (const [index, part] of parts.entries()) {
    if (index > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    connection.socket.write(part);
  }
  return await connection.answer();
}

export interface RawConnection extends AsyncDisposable {
  socket: Socket;
  /** The next answer; its body ends with `Content-Length` or with the connection. */
  answer(): Promise<RawAnswer>;
  /** Resolves when the other side has ended the connection. */
  closed: Promise<void>;
}

/**
 * Opens a connection and sends bytes that the server has seen when this resolves: they follow a request in one packet, and
 * that one has been answered.
 */
export async function openSeen(address: string, bytes: string): Promise<RawConnection> {
  const connection = await openRaw(address);
  connection.socket.write(`GET /live HTTP/1.1\r\nHost: x\r\n\r\n${bytes}`);
  await connection.answer();
  return connection;
}

export async function openRaw(address: string): Promise<RawConnection> {
  const { hostname, port } = new URL(address);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: false });
  let received = '';
  let changed = Promise.withResolvers<void>();
  const wake = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  socket.setEncoding('latin1').on('data', (chunk) => {
    received += chunk;
    wake();
  });
  socket.on('error', () => {}).on('close', wake);
  // A reset is an end as well.
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await once(socket, 'connect');
  return {
    socket,
    closed,
    async answer() {
      for (;;) {
        const end = received.indexOf('\r\n\r\n');
        if (end !== -1) {
          const [first = '', ...lines] = received.slice(0, end).split('\r\n');
          const headers = new Map(
            lines.map((line) => {
              const colon = line.indexOf(':');
              return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
            }),
          );
          const length = Number(headers.get('content-length') ?? (socket.destroyed ? received.length : 0));
          const rest = received.slice(end + 4);
          if (rest.length >= length || socket.destroyed) {
            received = rest.slice(length);
            const body = Buffer.from(rest.slice(0, length), 'latin1').toString();
            return { status: Number(first.split(' ')[1]), headers, body };
          }
        } else if (socket.destroyed) throw new Error(`the connection ended before an answer: '${received}'`);
        await changed.promise;
      }
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await closed;
    },
  };
}

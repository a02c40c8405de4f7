import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './server.ts';

/**
 * For `TcpProxy.start`: announces another key than the backend's, as poolers do. BackendKeyData is `K`, its length, the
 * process id and the secret (https://www.postgresql.org/docs/current/protocol-message-formats.html).
 */
export function announceForeignKey(chunk: Buffer): Buffer {
  const at = chunk.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]));
  if (at >= 0) chunk.writeInt32BE(0x0f0f0f0f, at + 5);
  return chunk;
}

/** Stands between a client and a server, and fails the way networks and machines do. */
export class TcpProxy {
  readonly #target: { host: string; port: number };
  readonly #fromServer: (chunk: Buffer) => Buffer;
  readonly #delayMs: number;
  #server: Server;
  /** Kept while it refuses connections. */
  readonly #port: number;
  #passing = true;
  #pairs = new Set<[Socket, Socket | undefined]>();

  /**
   * @param fromServer May change what the server says.
   * @param delayMs What is said on either side arrives so much later.
   */
  static async start(
    target: { host: string; port: number },
    fromServer: (chunk: Buffer) => Buffer = (chunk) => chunk,
    delayMs = 0,
  ): Promise<TcpProxy> {
    const proxy = new TcpProxy(await freePort(), target, fromServer, delayMs);
    await proxy.#listen();
    return proxy;
  }

  private constructor(
    port: number,
    target: { host: string; port: number },
    fromServer: (chunk: Buffer) => Buffer,
    delayMs: number,
  ) {
    this.#port = port;
    this.#target = target;
    this.#fromServer = fromServer;
    this.#delayMs = delayMs;
    this.#server = createServer({ noDelay: true }, (client) => this.#accept(client));
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** New connections get through again. What was swallowed stays lost. */
  async pass(): Promise<void> {
    this.#passing = true;
    if (!this.#server.listening) await this.#listen();
  }

  /** As when the server's process has ended: every connection is reset, and nothing listens. */
  async refuse(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  /** As when a firewall drops packets: connections stay open, new ones are accepted, and nobody ever says anything. */
  swallow(): void {
    this.#passing = false;
    this.forget();
  }

  /** As when a network has forgotten its connections: those that exist fall silent, new ones work. */
  forget(): void {
    for (const [client, server] of this.#pairs) {
      client.removeAllListeners('data').resume();
      server?.removeAllListeners('data').removeAllListeners('close').destroy();
    }
  }

  /** Resets every connection; new ones work. */
  cut(): void {
    for (const [client, server] of this.#pairs) {
      client.resetAndDestroy();
      server?.destroy();
    }
  }

  async stop(): Promise<void> {
    this.cut();
    if (this.#server.listening) await new Promise((done) => this.#server.close(done));
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  #accept(client: Socket): void {
    const server = this.#passing ? connect({ ...this.#target, noDelay: true }) : undefined;
    const pair: [Socket, Socket | undefined] = [client, server];
    this.#pairs.add(pair);
    client
      .on('error', () => {})
      .on('close', () => {
        this.#pairs.delete(pair);
        server?.destroy();
      });
    if (!server) return void client.resume();
    server.on('error', () => {}).on('close', () => client.destroy());
    const pass = (to: Socket, chunk: Buffer) => {
      if (this.#delayMs === 0) to.write(chunk);
      else setTimeout(() => to.write(chunk), this.#delayMs);
    };
    client.on('data', (chunk) => pass(server, chunk));
    server.on('data', (chunk) => pass(client, this.#fromServer(chunk)));
  }
}

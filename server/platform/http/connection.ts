import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';

/** A client is slow below this many bytes a second, over so many seconds. */
const SLOW_RATE = 1_024;
const SLOW_SECONDS = 10;
const DRAINING_SLOW_SECONDS = 3;
/**
 * How long and how many bytes of a body may still come after the answer to its request, so that the client can read the
 * answer: closing at once would reset the connection (RFC 9112, 9.6).
 */
const LINGER_SECONDS = 5;
const LINGER_BYTES = 64 * 1_024;
/**
 * Node takes no more of a request's headers than this, and closes when they are incomplete after 5 s. The limit is longer while
 * the application loads (process/port.ts).
 */
const MAX_HEADERS_BYTES = 16 * 1_024;
const HEADERS_SECONDS = 6;
/** Below this many bytes a request is not searched for the beginning of the next one. */
const MIN_SEARCHED_BYTES = 1_024;

/** The connections from one address. */
export interface Peer {
  key: string;
  connections: Set<Connection>;
}

/** A socket and its last request. Several at once (pipelining) are answered in order, so the last one ends last. */
export class Connection {
  readonly socket: Socket;
  /** Undefined for connections from a proxy. */
  readonly peer: Peer | undefined;
  request: IncomingMessage | undefined;
  response: ServerResponse | undefined;
  /** The same request as the application knows it. */
  known: FastifyRequest | undefined;
  /** When it was opened or its last request began (`performance.now()`). */
  usedAt = performance.now();
  /** Sweeps since it was opened, its last request began or was answered, or draining began. */
  sweeps = 0;
  #hadRequest = false;
  /** Bytes that belong to requests; what was read beyond them is the beginning of the next one. */
  #accounted = 0;
  /** Bytes read at each of the last sweeps of a body. */
  readonly #received: number[] = [];
  /** How many sweeps the answer has been waiting for its reader, and how many bytes had gone out before. */
  #sendingSweeps = 0;
  #sentBefore = 0;
  #stalledAt = Number.NEGATIVE_INFINITY;

  constructor(socket: Socket, peer?: Peer) {
    this.socket = socket;
    this.peer = peer;
  }

  begin(request: FastifyRequest, response: ServerResponse): void {
    this.request = request.raw;
    this.response = response;
    this.known = request;
    this.usedAt = performance.now();
    this.sweeps = 0;
    this.#hadRequest = true;
  }

  /** The client has to send more of a body, and the application takes it. */
  get receiving(): boolean {
    const { request } = this;
    return (
      request !== undefined && !request.complete && request.readableLength < request.readableHighWaterMark
    );
  }

  /** The client has to read more of an answer. */
  get sending(): boolean {
    return this.socket.writableLength > 0;
  }

  get working(): boolean {
    const { response } = this;
    return response !== undefined && !response.writableFinished && !response.destroyed;
  }

  /** Answered, or without a request: nobody waits for what may still come. */
  get spare(): boolean {
    return !this.working && !this.sending;
  }

  /** Answered, while the client still sends the body. */
  get lingering(): boolean {
    return this.request?.complete === false && !this.working;
  }

  get idle(): boolean {
    return this.spare && !this.lingering;
  }

  /** Bytes of a request whose headers are not complete. */
  get unfinishedHeaders(): number {
    return this.idle && this.request === undefined ? this.socket.bytesRead - this.#accounted : 0;
  }

  /** Whether the next sweep has something to look at. */
  get watched(): boolean {
    return !this.#hadRequest || !this.idle || this.unfinishedHeaders > 0;
  }

  /** Whether nothing moves that should. */
  get stalled(): boolean {
    const { timeout = 0 } = this.socket;
    if (this.sending && performance.now() - this.#stalledAt < 2 * timeout) return true;
    return this.#received.length > 1 && this.#received.at(-1) === this.#received.at(-2);
  }

  /** Releases the last request: each garbage collection would copy it. */
  forget(): void {
    if (this.request === undefined) return;
    const { bytesRead } = this.socket;
    const came = bytesRead - this.#accounted;
    // A chunked body has no known length: all of it counts as headers for some seconds, too much rather than too little.
    const behind = came < MIN_SEARCHED_BYTES ? 0 : came - sizeOf(this.request);
    this.#accounted = bytesRead - Math.min(Math.max(0, behind), MAX_HEADERS_BYTES);
    this.request = undefined;
    this.response = undefined;
    this.known = undefined;
    this.sweeps = 0;
  }

  /**
   * Looks at what has moved since the last sweep, a second ago.
   *
   * @param draining Clients have less time: the process waits for them.
   * @returns Why the connection must be closed; undefined if it may stay.
   */
  sweep(draining: boolean): 'slow-body' | 'slow-read' | 'lingering' | 'headers' | undefined {
    this.sweeps++;
    if (draining && !this.#hadRequest && this.sweeps > 1) return 'headers';
    if (this.lingering && (draining || this.sweeps > LINGER_SECONDS)) return 'lingering';
    const seconds = draining ? DRAINING_SLOW_SECONDS : SLOW_SECONDS;
    if (this.#sendsSlowly(seconds)) return 'slow-body';
    if (this.#readsSlowly(seconds)) return 'slow-read';
    if (!this.idle) return undefined;
    this.forget();
    // Node has closed what was unfinished by now.
    if (this.sweeps > HEADERS_SECONDS) this.#accounted = this.socket.bytesRead;
    return undefined;
  }

  /** Whether too little of a body came over the last `seconds`, all of which it was awaited in. */
  #sendsSlowly(seconds: number): boolean {
    const marks = this.#received;
    if (!this.receiving) {
      marks.length = 0;
      return false;
    }
    marks.push(this.socket.bytesRead);
    if (marks.length <= seconds) return false;
    const before = marks.splice(0, marks.length - seconds).at(-1) as number;
    return this.socket.bytesRead - before < SLOW_RATE * seconds;
  }

  /**
   * Whether an answer takes longer than its length allows. Node reports a write when the whole of it has gone out; whether
   * one still moves is what the socket's time-out tells, which is set here.
   */
  #readsSlowly(seconds: number): boolean {
    const { socket } = this;
    if (!this.sending) {
      this.#sendingSweeps = 0;
      return false;
    }
    const stallMs = (seconds * 1_000) / 2;
    if (socket.timeout !== stallMs) socket.setTimeout(stallMs);
    if (this.#sendingSweeps++ === 0) this.#sentBefore = socket.bytesWritten - socket.writableLength;
    return this.#sendingSweeps > seconds + (socket.bytesWritten - this.#sentBefore) / SLOW_RATE;
  }

  /**
   * Notes that the socket's time-out has passed and nothing was read.
   *
   * @returns Whether it did so twice in a row: once may be because the process was frozen.
   */
  stall(): boolean {
    const { timeout = 0 } = this.socket;
    const twice = this.stalled;
    this.#stalledAt = performance.now();
    this.socket.setTimeout(timeout);
    return twice;
  }

  /** Closes it behind its answer if the client has much more to send: that is not read any further. */
  linger(): void {
    const { request, socket } = this;
    this.sweeps = 0;
    const length = Number(request?.headers['content-length'] ?? Number.POSITIVE_INFINITY);
    if (length <= LINGER_BYTES || socket.writableEnded) return;
    socket.end();
    // Node has just begun to read the rest and drop it.
    setImmediate(() => socket.pause());
  }
}

/** How many bytes a request has at least. */
function sizeOf({ url = '', rawHeaders, headers }: IncomingMessage): number {
  let bytes = url.length + Number(headers['content-length'] ?? 0);
  for (const text of rawHeaders) bytes += text.length + 2;
  return bytes;
}

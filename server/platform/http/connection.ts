import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';

/** Under this many bytes a second, over so many seconds, a client is slow. */
const SLOW_RATE = 1_024;
const SLOW_SECONDS = 10;
const DRAINING_SLOW_SECONDS = 3;
/**
 * What may still come of a body after the answer to its request, so that the client can read the answer: closing at once
 * would reset the connection under it (RFC 9112, 9.6).
 */
const LINGER_SECONDS = 5;
const LINGER_BYTES = 64 * 1_024;
/** Node takes no more of a request's headers than this, and closes where they are not complete after 5 s (process/port.ts). */
const MAX_HEADERS_BYTES = 16 * 1_024;
const HEADERS_MS = 6_000;
/** With less behind it, a request is not looked at more closely. */
const MIN_BEHIND_BYTES = 1_024;

/** The connections from one address. */
export interface Peer {
  key: string;
  connections: Set<Connection>;
}

/** A socket's counters and its last request. Several at once (pipelining) are answered in order, so the last ends last. */
export class Connection {
  readonly socket: Socket;
  /** Those that come from the same address; undefined where that is a proxy's. */
  readonly peer: Peer | undefined;
  request: IncomingMessage | undefined;
  response: ServerResponse | undefined;
  /** The same request as the application knows it, if it came that far. */
  known: FastifyRequest | undefined;
  /** When it last began a request or was opened (`performance.now()`). */
  usedAt = performance.now();
  /** Whether there was a request yet. */
  #spoken = false;
  /** Without one, since draining began. */
  #roundsOfSilence = 0;
  /** What had been read when the last request began or was forgotten, and what belonged to those before it. */
  #parsed = 0;
  #before = 0;
  /** What may have come behind the last request in the same packet, in bytes. */
  #behind = 0;
  #roundsLingered = 0;
  /** Bytes of answers that the system has taken. */
  #sent = 0;
  #written = 0;
  #queued = 0;
  /** What had moved at each of the last sweeps, while there was something to move. */
  readonly #received: number[] = [];
  readonly #delivered: number[] = [];

  constructor(socket: Socket, peer?: Peer) {
    this.socket = socket;
    this.peer = peer;
  }

  /** A request has come. @param known As the application knows it. @param now `performance.now()`. */
  begin(request: IncomingMessage, response: ServerResponse, now: number, known?: FastifyRequest): void {
    this.request = request;
    this.response = response;
    this.known = known;
    this.usedAt = now;
    this.#spoken = true;
    this.#roundsLingered = 0;
    const { bytesRead } = this.socket;
    // Several that came in one packet begin at the same count.
    if (bytesRead === this.#parsed) return;
    this.#before = this.#parsed - this.#behind;
    this.#parsed = bytesRead;
    this.#behind = 0;
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

  /** Between two requests, or before the first; or all that is to come is a body that nobody waits for. */
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

  /** How much of a request's headers has come since the last request while the rest has not, in bytes. */
  get unfinishedHeaders(): number {
    return this.idle && this.request === undefined ? this.socket.bytesRead - this.#parsed : 0;
  }

  /** As {@link unfinishedHeaders}, with what may have come behind the last request in the same packet. */
  get unfinishedHeadersAtMost(): number {
    if (!this.idle || this.request !== undefined) return 0;
    const behind = this.#behind > 0 && performance.now() - this.usedAt < HEADERS_MS ? this.#behind : 0;
    return this.unfinishedHeaders + behind;
  }

  /** Whether there is something to look at in the next round. */
  get watched(): boolean {
    return !this.#spoken || !this.idle || this.unfinishedHeaders > 0;
  }

  /** Whether nothing has moved since the sweep before last, although something should. */
  get stalled(): boolean {
    return [this.#received, this.#delivered].some(
      (marks) => marks.length > 1 && marks.at(-1) === marks.at(-2),
    );
  }

  /** An idle connection keeps nothing of its last request: it would be copied by each collection. */
  forget(): void {
    if (this.request === undefined) return;
    this.#parsed = this.socket.bytesRead;
    const came = this.#parsed - this.#before;
    // Where a body's length is not known, all of it counts: too much for a moment, never too little.
    const behind = came < MIN_BEHIND_BYTES ? 0 : came - leastSizeOf(this.request);
    this.#behind = Math.min(Math.max(0, behind), MAX_HEADERS_BYTES);
    this.request = undefined;
    this.response = undefined;
    this.known = undefined;
  }

  /**
   * Looks at what has moved since the last round, a second ago.
   *
   * @param draining Whether there is less patience: the process waits for it.
   * @returns Why it is to be let go, if it is.
   */
  measure(draining: boolean): 'slow-body' | 'slow-read' | 'lingering' | 'headers' | undefined {
    this.#count();
    if (draining && !this.#spoken && ++this.#roundsOfSilence > 1) return 'headers';
    if (this.lingering && (draining || ++this.#roundsLingered > LINGER_SECONDS)) return 'lingering';
    const seconds = draining ? DRAINING_SLOW_SECONDS : SLOW_SECONDS;
    if (tooSlow(this.#received, this.receiving, this.socket.bytesRead, seconds)) return 'slow-body';
    if (tooSlow(this.#delivered, this.sending, this.#sent, seconds)) return 'slow-read';
    return undefined;
  }

  /** Ends it behind its answer if its client has much more to send: that is not read any further. */
  endIfMuchIsToCome(): void {
    const { request, socket } = this;
    const length = Number(request?.headers['content-length'] ?? Number.POSITIVE_INFINITY);
    if (length <= LINGER_BYTES || socket.writableEnded) return;
    socket.end();
    // Node has just begun to read the rest away.
    setImmediate(() => socket.pause());
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

/** How many bytes a request had at least. */
function leastSizeOf({ url = '', rawHeaders, headers }: IncomingMessage): number {
  let bytes = url.length + Number(headers['content-length'] ?? 0);
  for (const text of rawHeaders) bytes += text.length + 2;
  return bytes;
}

/** Notes one more round. @returns Whether too little moved over the last `seconds`, all of which it had to move in. */
function tooSlow(marks: number[], moving: boolean, bytes: number, seconds: number): boolean {
  if (!moving) {
    marks.length = 0;
    return false;
  }
  marks.push(bytes);
  if (marks.length <= seconds) return false;
  const before = marks.splice(0, marks.length - seconds).at(-1) as number;
  return bytes - before < SLOW_RATE * seconds;
}

/**
 * Answers a request with server-sent events, which a browser reads with `EventSource`: `events(reply)`.
 *
 * A stream ends with the drain, sends heartbeats so that proxies keep it, and holds bounded memory for a client that does not
 * read. Its route has `config: { untimed: true }`, and `exposeHeadRoute: false`, because a HEAD would never end.
 */
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { MIB } from '../lib/units.ts';

/** Bytes that a client may leave unread; beyond, its stream is closed. */
const MAX_UNREAD = MIB;
/** Of all streams together; beyond, those with more than their share are closed. */
const MAX_UNREAD_TOGETHER = 64 * MIB;
/** Proxies close idle connections after 60 s or more. In milliseconds. */
export const HEARTBEAT_MS = 15_000;
const HEARTBEAT = Buffer.from(':\n\n');
/** When a stream ends, its client has this long to read the rest, in milliseconds. */
const LAST_READ_MS = 2_000;
/** A stream that is opened during the drain ends after this many milliseconds. */
const LATE_MS = 1_000;
/** A browser reconnects after this long, and a random time more, so that not all come at once. In milliseconds. */
const RETRY_MS = 2_000;
const RETRY_SPREAD_MS = 1_000;

export interface ServerEvent {
  /** The name that a page listens for; `message` where there is none. */
  event?: string;
  /** Sent back as `Last-Event-ID` when the browser connects again. */
  id?: string;
  /** Goes out as JSON. */
  data: unknown;
}

export interface EventStreamOptions {
  /** Called when the process begins to drain, before the stream ends: for a last event. */
  onDrain?: (stream: EventStream) => void;
}

const open = new Set<EventStream>();
/** What all clients have left unread; too much rather than too little, until it is counted anew. */
let unreadTogether = 0;

/**
 * Opens a stream of events.
 *
 * @param reply Headers that have been set on it are sent; nothing else may answer it.
 */
export function events(reply: FastifyReply, options: EventStreamOptions = {}): EventStream {
  return new EventStream(reply, options);
}

/**
 * Encodes an event, once for all streams that it goes to.
 *
 * @throws TypeError for a name or an id of more than one line.
 */
export function encodeEvent({ event, id, data }: ServerEvent): Buffer {
  if (/[\r\n\0]/.test(`${event ?? ''}${id ?? ''}`)) {
    throw new TypeError('The name and the id of an event are one line each.');
  }
  const fields = [
    event === undefined ? '' : `event: ${event}\n`,
    id === undefined ? '' : `id: ${id}\n`,
    `data: ${JSON.stringify(data) ?? 'null'}\n\n`,
  ];
  return Buffer.from(fields.join(''));
}

export class EventStream {
  /** Aborted when the stream has ended: by `end`, its client, the drain, or because it was not read. */
  readonly closed: AbortSignal;
  readonly #reply: FastifyReply;
  readonly #response: ServerResponse;
  /** How many of the bytes in `unreadTogether` are this client's. */
  #counted = 0;

  constructor(reply: FastifyReply, { onDrain }: EventStreamOptions) {
    const { draining } = reply.request;
    const closed = new AbortController();
    const response = reply.raw;
    this.#reply = reply;
    this.#response = response;
    this.closed = closed.signal;

    reply.hijack();
    // The client has left while the handler was at work.
    if (response.destroyed) {
      closed.abort();
      return;
    }
    response.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      ...(draining.aborted ? { connection: 'close' } : {}),
    });
    response.write(`retry: ${RETRY_MS + Math.round(Math.random() * RETRY_SPREAD_MS)}\n\n`);
    open.add(this);
    const heartbeat = setInterval(() => this.send(HEARTBEAT), HEARTBEAT_MS).unref();
    response.once('close', () => {
      clearInterval(heartbeat);
      this.#forget();
      closed.abort();
    });
    const stop = () => {
      onDrain?.(this);
      this.end();
    };
    // A client that is refused at once would reconnect at once.
    if (draining.aborted) setTimeout(() => this.end(), LATE_MS).unref();
    else draining.addEventListener('abort', stop, { once: true, signal: closed.signal });
  }

  /** Calls `listener` when the stream has ended, at once where it has already. */
  onClose(listener: () => void): void {
    if (this.closed.aborted) listener();
    else this.closed.addEventListener('abort', listener, { once: true });
  }

  /** Sends an event, as it is or encoded by `encodeEvent`. Does nothing once the stream has ended. */
  send(event: ServerEvent | Buffer): void {
    const response = this.#response;
    if (response.destroyed || response.writableEnded) return;
    response.write(Buffer.isBuffer(event) ? event : encodeEvent(event));
    this.#count(response.writableLength);
    if (this.#counted > MAX_UNREAD) this.#closeUnread();
    else if (unreadTogether > MAX_UNREAD_TOGETHER) EventStream.#closeSlowest();
  }

  /** Ends the stream; what was sent before is still delivered to a client that reads. */
  end(): void {
    const response = this.#response;
    if (response.destroyed || response.writableEnded) return;
    response.end();
    const late = setTimeout(() => response.destroy(), LAST_READ_MS).unref();
    response.once('close', () => clearTimeout(late));
  }

  #count(unread: number): void {
    unreadTogether += unread - this.#counted;
    this.#counted = unread;
  }

  #forget(): void {
    open.delete(this);
    this.#count(0);
  }

  #closeUnread(): void {
    this.#reply.log.debug('event stream closed: its client reads too slowly');
    this.#response.destroy();
    this.#forget();
  }

  static #closeSlowest(): void {
    // Some clients have read meanwhile.
    for (const stream of open) stream.#count(stream.#response.writableLength);
    if (unreadTogether <= MAX_UNREAD_TOGETHER) return;
    const share = MAX_UNREAD_TOGETHER / open.size;
    for (const stream of open) if (stream.#counted > share) stream.#closeUnread();
  }
}

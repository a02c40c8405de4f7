import pg from 'pg';
import { apartFromRequests } from '../lib/request-work.ts';
import { within } from '../lib/within.ts';
import type { Logger } from './pool/availability.ts';
import { DatabaseClient } from './pool/client.ts';
import { findUnavailable } from './pool/unavailable.ts';

/** All times in milliseconds. Behind a transaction pooler subscribers look this often, while there is a need. */
const POLL_MS = 2_000;
/** Between two attempts to connect: while there is a need, from the first to the last; else at least the first. */
const MIN_PAUSE_MS = 250;
const MAX_PAUSE_MS = 2_000;
const LEAVE_MS = 500;

export interface ListenerOptions {
  /** Past a transaction pooler; as the pool's where there is none. */
  connection: pg.ClientConfig | Promise<pg.ClientConfig>;
  connectTimeoutMs: number;
  applicationName: string;
}

export interface SubscribeOptions {
  /**
   * Called whenever listening on the channel has begun, or begun again: what was notified before may have been missed, so look.
   * Behind a transaction pooler it is called every 2 s instead, while there is a need.
   */
  onReconnect?: () => void;
}

interface Subscriber extends SubscribeOptions {
  readonly notified: (payload: string) => void;
}

/**
 * One connection that LISTENs, for everything in this process; opened by the first subscriber, outside of the pool.
 *
 * A lost connection is opened again at once only while something holds it (an open stream, a queued job), otherwise by the next
 * `touch`, so that a managed database that sleeps stays asleep.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #log: Logger;
  readonly #subscribers = new Map<string, Set<Subscriber>>();
  /** Channels of the connection that is open. */
  readonly #channels = new Set<string>();
  #client: DatabaseClient | undefined;
  #flight: Promise<void> | undefined;
  #holds = 0;
  /** The next attempt or the next poll; only while held. */
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #attemptedAt = Number.NEGATIVE_INFINITY;
  #polling = false;
  #closed = false;

  constructor(options: ListenerOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
  }

  /** Whether notifications arrive: false before the first subscriber, while the connection is lost, and behind a pooler. */
  get available(): boolean {
    return this.#client !== undefined && this.#channels.size > 0;
  }

  /** Whether a transaction pooler stands between, so that subscribers look every 2 s instead. Known after the first connection. */
  get polling(): boolean {
    return this.#polling;
  }

  /**
   * Subscribes to a channel of NOTIFY.
   *
   * @param fn Gets each payload; its errors are logged.
   * @returns Ends the subscription.
   */
  on(channel: string, fn: (payload: string) => void, { onReconnect }: SubscribeOptions = {}): () => void {
    const subscriber: Subscriber = { notified: fn, ...(onReconnect && { onReconnect }) };
    const others = this.#subscribers.get(channel);
    if (others) others.add(subscriber);
    else this.#subscribers.set(channel, new Set([subscriber]));
    if (this.#polling || this.#channels.has(channel)) queueMicrotask(() => this.#look([subscriber]));
    if (!this.#polling) this.#connect();
    return () => {
      const left = this.#subscribers.get(channel);
      left?.delete(subscriber);
      if (left?.size === 0) this.#subscribers.delete(channel);
      if (this.#subscribers.size === 0) this.#leave();
    };
  }

  /**
   * Declares that notifications are needed now: a stream is open, or a job is queued.
   *
   * @returns Withdraws it.
   */
  hold(): () => void {
    this.#holds++;
    this.#again(0);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      if (--this.#holds === 0) this.#stopTimer();
    };
  }

  /** The database is awake, or about to be: opens a lost connection again. Cheap, so that each request and probe may call it. */
  touch(): void {
    if (this.#client || this.#polling || this.#timer || this.#subscribers.size === 0) return;
    if (performance.now() - this.#attemptedAt >= MIN_PAUSE_MS) this.#connect();
  }

  /** Ends the connection, and all subscriptions with it. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#subscribers.clear();
    this.#stopTimer();
    await this.#leave();
  }

  /** Goes on after `ms`, where there is a need: connects, or has all subscribers look. */
  #again(ms: number): void {
    if (this.#timer || this.#closed || this.#holds === 0) return;
    const act = () => {
      this.#timer = undefined;
      if (!this.#polling) this.#connect();
      else {
        this.#lookEverywhere();
        this.#again(POLL_MS);
      }
    };
    if (ms === 0) apartFromRequests(act);
    else this.#timer = apartFromRequests(() => setTimeout(act, ms));
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Opens the connection where there is none, and has it listen to every channel. One attempt at a time. */
  #connect(): void {
    if (this.#flight || this.#closed || this.#subscribers.size === 0) return;
    if (this.#client && this.#missing().length === 0) return;
    this.#flight = apartFromRequests(() => this.#listen())
      .then(
        () => {
          this.#attempts = 0;
        },
        (error) => this.#failed(findUnavailable(error)?.reason ?? String(error)),
      )
      .finally(() => {
        this.#flight = undefined;
        this.#attemptedAt = performance.now();
        if (this.#subscribers.size === 0) void this.#leave();
        else if (this.#polling) this.#again(POLL_MS);
        else if (this.#attempts > 0) this.#again(this.#pauseMs());
        else this.#connect();
      });
  }

  #failed(reason: string): void {
    this.#client?.abandon(reason);
    this.#client = undefined;
    this.#channels.clear();
    if (this.#subscribers.size === 0) return;
    if (this.#attempts++ > 0) return;
    this.#log.warn({ reason }, 'The connection that listens for notifications could not be opened');
  }

  /** Jittered, so that replicas that lost the database together do not return to it together. */
  #pauseMs(): number {
    return Math.min(MIN_PAUSE_MS * 2 ** this.#attempts, MAX_PAUSE_MS) * (0.5 + Math.random() / 2);
  }

  #missing(): string[] {
    return [...this.#subscribers.keys()].filter((channel) => !this.#channels.has(channel));
  }

  async #listen(): Promise<void> {
    const client = this.#client ?? (await this.#open());
    if (!client) return;
    for (let missing = this.#missing(); missing.length > 0; missing = this.#missing()) {
      await client.query(missing.map((channel) => `listen ${pg.escapeIdentifier(channel)}`).join('; '));
      for (const channel of missing) {
        this.#channels.add(channel);
        this.#look(this.#subscribers.get(channel));
      }
    }
  }

  /** @returns Undefined behind a transaction pooler, where LISTEN is of no use. */
  async #open(): Promise<DatabaseClient | undefined> {
    const { connection, connectTimeoutMs, applicationName } = this.#options;
    const client = new DatabaseClient({
      ...(await connection),
      application_name: applicationName,
      connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      rules: {
        statementTimeoutMs: connectTimeoutMs,
        checkInterval: '5s',
      },
    });
    this.#client = client;
    client.once('end', () => this.#lost(client));
    client.on('notification', ({ channel, payload = '' }) => {
      for (const { notified } of this.#subscribers.get(channel) ?? []) this.#call(() => notified(payload));
    });
    await client.connect();
    if (!client.behindPooler) return client;
    this.#polling = true;
    this.#client = undefined;
    client.end().catch(() => {});
    this.#log.warn(
      'A transaction pooler stands before the database, and notifications do not get through it: they are replaced by a query every 2 s while streams are open or jobs are queued. Set DATABASE_DIRECT_URL to the address past it.',
    );
    this.#lookEverywhere();
    return undefined;
  }

  #lost(client: DatabaseClient): void {
    if (this.#client !== client) return;
    const wasListening = this.#channels.size > 0;
    this.#client = undefined;
    this.#channels.clear();
    if (!wasListening || this.#closed) return;
    this.#log.info({ reason: client.whyLost }, 'The connection that listens for notifications was lost');
    // One that is always lost at once must not keep the process busy.
    const lived = performance.now() - this.#attemptedAt;
    this.#again(lived > MIN_PAUSE_MS ? 0 : MIN_PAUSE_MS);
  }

  /** Ends the connection; one that does not answer is abandoned. */
  async #leave(): Promise<void> {
    const client = this.#client;
    if (!client) return;
    this.#client = undefined;
    this.#channels.clear();
    if (this.#flight) return client.abandon('no longer needed');
    await within(client.end(), LEAVE_MS, () => new Error('no answer')).catch(() => {});
    client.abandon('no longer needed');
  }

  #lookEverywhere(): void {
    for (const subscribers of this.#subscribers.values()) this.#look(subscribers);
  }

  #look(subscribers: Iterable<Subscriber> = []): void {
    for (const { onReconnect } of subscribers) if (onReconnect) this.#call(onReconnect);
  }

  #call(act: () => void): void {
    try {
      apartFromRequests(act);
    } catch (err) {
      this.#log.warn({ err }, 'A subscriber to notifications failed');
    }
  }
}

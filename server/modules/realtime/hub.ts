import type { BaseLogger } from 'pino';
import type { EventMessage } from '#contracts/realtime.ts';
import type { Listener } from '../../platform/database/listener.ts';
import { findUnavailable } from '../../platform/database/pool/unavailable.ts';
import { apartFromRequests } from '../../platform/lib/request-work.ts';
import { type Client, type Group, Groups } from './groups.ts';
import type { Position } from './position.ts';
import { type Joining, messageOf, Replays } from './replays.ts';
import { CHANNEL, type EventStore, type NewEvents, type StoredEvent } from './store.ts';

/** While streams are open: positions are compared and access is asked again this often, in milliseconds. */
const BEAT_MS = 15_000;
/** Every so many beats clients are told where they are, so that what they come back with is not too old. */
const BEATS_A_POSITION = 40;
/** After a replay that found the database away, in milliseconds. */
const AWAY_PAUSE_MS = 500;
/** Clients whose access is asked at a time. */
const ASKED_AT_ONCE = 20;
/** A notification that a person's access has changed begins with it. */
const IDENTITY = 'identity:';

/**
 * Brings events from the database to the clients of this process, in one order for all, while there are any.
 *
 * It reads after each notification, after each connection of the listener, and with each beat: so that a publisher that was killed
 * between its commit and its notification loses nothing.
 */
export class Hub {
  readonly #store: EventStore;
  readonly #listener: Pick<Listener, 'on' | 'hold' | 'polling'>;
  readonly #log: Pick<BaseLogger, 'warn'>;
  readonly #clients = new Set<Client>();
  /** Not among the groups yet, with what they continue from. */
  readonly #joining = new Map<Client, Joining>();
  readonly #groups = new Groups();
  readonly #replays: Replays;
  #position: Position | undefined;
  #reading: Promise<void> | undefined;
  #readAgain = false;
  #asking = false;
  #beats = 0;
  #beat: NodeJS.Timeout | undefined;
  #release: (() => void) | undefined;
  #unsubscribe: (() => void) | undefined;
  /** Events that went out, once for each client. */
  delivered = 0;

  constructor(
    store: EventStore,
    listener: Pick<Listener, 'on' | 'hold' | 'polling'>,
    log: Pick<BaseLogger, 'warn'>,
  ) {
    this.#store = store;
    this.#listener = listener;
    this.#log = log;
    this.#replays = new Replays(store, log, (clients) => {
      for (const client of clients) this.#joinAgain(client);
      // A reading under way may have begun before they joined again.
      setTimeout(() => this.look(), AWAY_PAUSE_MS).unref();
    });
  }

  get clients(): number {
    return this.#clients.size;
  }

  /**
   * Sends a client what happened after `after`, then what happens. Its first message says where it is.
   *
   * @param after Undefined: from now on.
   * @param refused What it asked for and may not read, which its first message says.
   */
  join(client: Client, after: Position | undefined, refused: readonly string[] = []): void {
    this.#clients.add(client);
    this.#joining.set(client, { after, refused });
    this.#run();
    this.look();
  }

  leave(client: Client): void {
    this.#clients.delete(client);
    this.#joining.delete(client);
    this.#replays.remove(client);
    this.#groups.delete(client);
    if (this.#clients.size > 0) return;
    clearInterval(this.#beat);
    this.#beat = undefined;
    this.#release?.();
    this.#release = undefined;
    this.#position = undefined;
  }

  /** Reads what is new, if there are clients. */
  look(): void {
    if (this.#clients.size === 0) return;
    if (this.#reading) {
      this.#readAgain = true;
      return;
    }
    this.#reading = apartFromRequests(() => this.#read())
      .catch((err) => {
        // The next connection of the listener, or the next beat, looks again.
        if (!findUnavailable(err)) this.#log.warn({ err }, 'Events could not be read');
      })
      .finally(() => {
        this.#reading = undefined;
        if (!this.#readAgain) return;
        this.#readAgain = false;
        this.look();
      });
  }

  end(): void {
    this.#unsubscribe?.();
    for (const client of this.#clients) {
      client.end();
      this.leave(client);
    }
  }

  /** Has all processes ask again what this person may read. */
  identityChanged(userId: string): Promise<void> {
    return this.#store.notify(`${IDENTITY}${userId}`);
  }

  /** From the first client to the last. The subscription stays, because it costs nothing. */
  #run(): void {
    this.#beat ??= setInterval(() => this.#everyBeat(), BEAT_MS).unref();
    this.#release ??= this.#listener.hold();
    this.#unsubscribe ??= this.#listener.on(
      CHANNEL,
      (payload) => {
        if (payload.startsWith(IDENTITY)) void this.#askAgain(payload.slice(IDENTITY.length));
        else this.look();
      },
      {
        onReconnect: () => {
          this.look();
          if (!this.#listener.polling) void this.#askAgain();
        },
      },
    );
  }

  #everyBeat(): void {
    this.look();
    void this.#askAgain();
    for (const client of this.#clients) client.beat?.();
    this.#beats = (this.#beats + 1) % BEATS_A_POSITION;
    if (this.#beats === 0 && this.#position) this.#sendEverywhere(messageOf(this.#position, []));
  }

  async #read(): Promise<void> {
    const joining = [...this.#joining];
    let page: NewEvents['next'];
    do {
      const before = this.#position;
      const { events, position, next } = await this.#store.read(before, page);
      page = next;
      // All clients may have left.
      if (this.#clients.size === 0) return;
      // A client that leaves between two pages gets both when it returns.
      if (before) this.#dispatch(events, next ? before : position);
      if (!next) this.#position = position;
      // The database has gone back, to a backup or to a standby that had less: what was told may never have happened.
      if (before && position.xmax < before.xmax)
        this.#sendEverywhere({ ...messageOf(position, []), missed: true });
    } while (page);
    this.#welcome(joining);
  }

  #dispatch(events: readonly StoredEvent[], position: Position): void {
    const found = new Map<Group, StoredEvent[]>();
    for (const event of events) {
      for (const group of this.#groups.of(event.topic)) {
        const own = found.get(group);
        if (own) own.push(event);
        else found.set(group, [event]);
      }
    }
    for (const [{ transport, clients }, own] of found) {
      const message = transport.encode(messageOf(position, own));
      this.delivered += own.length * clients.size;
      for (const client of clients) this.#replays.send(client, message);
    }
  }

  /** From the present position on, they get what happens. Nobody else waits while what they missed is read. */
  #welcome(joining: [Client, Joining][]): void {
    if (!this.#position) return;
    // The others have left, or have joined again for other topics.
    const there = joining.filter(([client, joined]) => this.#joining.get(client) === joined);
    for (const [client] of there) {
      this.#joining.delete(client);
      this.#groups.add(client);
    }
    this.#replays.begin(new Map(there), this.#position);
  }

  /** Has a client that got no first message yet join again. @param refused In addition. @returns Whether it got none. */
  #joinAgain(client: Client, refused: readonly string[] = []): boolean {
    const joined = this.#replays.remove(client) ?? this.#joining.get(client);
    if (!joined) return false;
    this.#groups.delete(client);
    this.#joining.set(client, { after: joined.after, refused: [...joined.refused, ...refused] });
    return true;
  }

  #sendEverywhere(message: EventMessage): void {
    for (const { transport, clients } of this.#groups) {
      const encoded = transport.encode(message);
      for (const client of clients) this.#replays.send(client, encoded);
    }
  }

  /** @param userId Undefined: of everybody. */
  async #askAgain(userId?: string): Promise<void> {
    const asked = [...this.#clients].filter((client) => userId === undefined || client.userId() === userId);
    if (userId === undefined) {
      if (this.#asking) return;
      this.#asking = true;
    }
    while (asked.length > 0) {
      await Promise.all(asked.splice(0, ASKED_AT_ONCE).map((client) => this.#askOne(client)));
    }
    if (userId === undefined) this.#asking = false;
  }

  async #askOne(client: Client): Promise<void> {
    const before = client.topics;
    const allowed = await apartFromRequests(() => client.allowed()).catch((error) => {
      // While the database is away nothing can be told either.
      if (findUnavailable(error)) return before;
      this.#log.warn({ err: error }, 'Who may read events could not be found out, so a stream was ended');
      return [];
    });
    // A client that has chosen other topics meanwhile was judged again.
    if (client.topics !== before || allowed.length === before.length || !this.#clients.has(client)) return;
    const refused = before.filter((topic) => !allowed.includes(topic));
    this.#groups.delete(client);
    client.topics = allowed;
    if (allowed.length > 0 && this.#joinAgain(client, refused)) return this.look();
    if (this.#position) {
      client.send(client.transport.encode({ ...messageOf(this.#position, []), refused }));
    }
    if (allowed.length > 0) {
      this.#groups.add(client);
      return;
    }
    client.end();
    this.leave(client);
  }
}

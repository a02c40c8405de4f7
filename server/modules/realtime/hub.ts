import type { BaseLogger } from 'pino';
import type { EventMessage } from '#contracts/realtime.ts';
import type { Listener } from '../../platform/database/listener.ts';
import { findUnavailable } from '../../platform/database/pool/unavailable.ts';
import { apartFromRequests } from '../../platform/lib/request-work.ts';
import { isReplayable, type Position, writePosition } from './position.ts';
import { CHANNEL, type EventStore, KEPT_SECONDS, type NewEvents, type StoredEvent } from './store.ts';

/** While streams are open: positions are compared and access is asked again this often, in milliseconds. */
const BEAT_MS = 15_000;
/** Every so many beats clients are told where they are, so that what they come back with is not too old. */
const BEATS_A_POSITION = 40;
/** A client that has missed more is told so, and reads again what it shows. */
const MAX_REPLAY = 500;
/** Replays that are read at a time, so that they leave the pool's connections to others. */
const REPLAYS_AT_ONCE = 4;
/** What is held for a client while it waits for its replay, in bytes; beyond, it is told that it has missed something. */
const MAX_HELD = 64 * 1_024;
/** After a replay that found the database away, in milliseconds. */
const AWAY_PAUSE_MS = 500;
/** Clients whose access is asked at a time. */
const ASKED_AT_ONCE = 20;
/** A notification that a person's access has changed begins with it. */
const IDENTITY = 'identity:';

/** How messages go out: written once for all clients that get the same. */
export interface Transport {
  readonly name: string;
  encode(message: EventMessage): Buffer;
}

export interface Client {
  readonly transport: Transport;
  topics: readonly string[];
  /** Asked again while it is connected. @returns Those that it may still read. @throws Where that cannot be found out. */
  allowed(): Promise<readonly string[]>;
  /** The signed-in user; undefined for an anonymous client. */
  userId(): string | undefined;
  send(message: Buffer): void;
  /** Looks whether it is still there. */
  beat?(): void;
  end(): void;
}

interface Joining {
  readonly after: Position | undefined;
  readonly refused: readonly string[];
}

/** What happened between two positions. Clients that lost the same process come back with the same one. */
interface Replay {
  readonly after: Position;
  readonly until: Position;
  readonly topics: readonly string[];
  /** Who waits for it. */
  readonly clients: Set<Client>;
}

/** A client that waits for a replay. What happens meanwhile is held. */
interface Behind extends Joining {
  readonly replay: Replay;
  readonly held: Buffer[];
  bytes: number;
}

/** Clients that get the same. */
interface Group {
  readonly topics: readonly string[];
  readonly transport: Transport;
  readonly clients: Set<Client>;
}

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
  /** Among the groups, and not told yet what happened before. */
  readonly #behind = new Map<Client, Behind>();
  /** Replays that have not begun. */
  readonly #waiting = new Set<Replay>();
  #replaying = 0;
  readonly #groups = new Map<string, Group>();
  readonly #byTopic = new Map<string, Set<Group>>();
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
    this.#waitNoLonger(client);
    this.#ungroup(client);
    if (this.#clients.size > 0) return;
    clearInterval(this.#beat);
    this.#beat = undefined;
    this.#release?.();
    this.#release = undefined;
    this.#position = undefined;
  }

  /** Reads what is new, unless nobody wants to know. */
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
      // Nobody may be there any more.
      if (this.#clients.size === 0) return;
      // Who leaves between two pages comes back for both.
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
      for (const group of this.#byTopic.get(event.topic) ?? []) {
        const own = found.get(group);
        if (own) own.push(event);
        else found.set(group, [event]);
      }
    }
    for (const [{ transport, clients }, own] of found) {
      const message = transport.encode(messageOf(position, own));
      this.delivered += own.length * clients.size;
      for (const client of clients) this.#send(client, message);
    }
  }

  /** From the present position on, they get what happens. Nobody else waits while what they missed is read. */
  #welcome(joining: [Client, Joining][]): void {
    const until = this.#position;
    if (!until) return;
    const replays = new Map<string, Replay>();
    for (const [client, joined] of joining) {
      // It has left, or has joined again with other wishes.
      if (this.#joining.get(client) !== joined) continue;
      this.#joining.delete(client);
      this.#group(client);
      const { after, refused } = joined;
      if (!after || !isReplayable(after, until, KEPT_SECONDS)) {
        this.#sendFirst(client, until, undefined, refused);
        continue;
      }
      const { topics } = client;
      const question = `${writePosition(after)} ${topics}`;
      const replay = replays.get(question) ?? { after, until, topics, clients: new Set() };
      replays.set(question, replay);
      replay.clients.add(client);
      this.#waiting.add(replay);
      this.#behind.set(client, { ...joined, replay, held: [], bytes: 0 });
    }
    while (this.#waiting.size > 0 && this.#replaying < REPLAYS_AT_ONCE) void this.#replayNext();
  }

  async #replayNext(): Promise<void> {
    const [replay] = this.#waiting;
    if (!replay) return;
    this.#waiting.delete(replay);
    this.#replaying++;
    const { after, until, topics, clients } = replay;
    try {
      const events = await this.#store.replay(after, until, topics, MAX_REPLAY);
      for (const client of clients) this.#catchUp(client, events);
    } catch (err) {
      const isAway = findUnavailable(err);
      if (!isAway) this.#log.warn({ err }, 'What a stream had missed could not be read');
      for (const client of clients) {
        // The next reading asks again.
        if (isAway) this.#joinAgain(client);
        else this.#catchUp(client, undefined);
      }
      // A reading under way may have begun before they joined again.
      if (isAway) setTimeout(() => this.look(), AWAY_PAUSE_MS).unref();
    }
    this.#replaying--;
    void this.#replayNext();
  }

  /** @param events Undefined: they cannot be told. */
  #catchUp(client: Client, events: readonly StoredEvent[] | undefined): void {
    const behind = this.#waitNoLonger(client);
    if (!behind) return;
    this.#sendFirst(client, behind.replay.until, events, behind.refused);
    for (const message of behind.held) client.send(message);
  }

  /** Starts it anew, before its first message. @param refused In addition. */
  #joinAgain(client: Client, refused: readonly string[] = []): void {
    const joined = this.#waitNoLonger(client) ?? this.#joining.get(client);
    if (!joined) return;
    this.#ungroup(client);
    this.#joining.set(client, { after: joined.after, refused: [...joined.refused, ...refused] });
  }

  #waitNoLonger(client: Client): Behind | undefined {
    const behind = this.#behind.get(client);
    if (!behind) return undefined;
    this.#behind.delete(client);
    const { replay } = behind;
    replay.clients.delete(client);
    if (replay.clients.size === 0) this.#waiting.delete(replay);
    return behind;
  }

  #sendFirst(
    client: Client,
    position: Position,
    events: readonly StoredEvent[] | undefined,
    refused: readonly string[],
  ): void {
    const message: EventMessage = {
      ...messageOf(position, events ?? []),
      ...(!events && { missed: true }),
      ...(refused.length > 0 && { refused: [...refused] }),
    };
    client.send(client.transport.encode(message));
  }

  #send(client: Client, message: Buffer): void {
    const behind = this.#behind.get(client);
    if (!behind) {
      client.send(message);
      return;
    }
    behind.held.push(message);
    behind.bytes += message.length;
    if (behind.bytes > MAX_HELD) this.#catchUp(client, undefined);
  }

  #sendEverywhere(message: EventMessage): void {
    for (const { transport, clients } of this.#groups.values()) {
      const encoded = transport.encode(message);
      for (const client of clients) this.#send(client, encoded);
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
    // Who wishes for other topics meanwhile has been asked anew.
    if (client.topics !== before || allowed.length === before.length || !this.#clients.has(client)) return;
    const refused = before.filter((topic) => !allowed.includes(topic));
    this.#ungroup(client);
    client.topics = allowed;
    if (allowed.length > 0 && (this.#joining.has(client) || this.#behind.has(client))) {
      this.#joinAgain(client, refused);
      this.look();
      return;
    }
    if (this.#position) {
      client.send(client.transport.encode({ ...messageOf(this.#position, []), refused }));
    }
    if (allowed.length > 0) {
      this.#group(client);
      return;
    }
    client.end();
    this.leave(client);
  }

  #group(client: Client): void {
    const { topics, transport } = client;
    const key = groupKey(client);
    let group = this.#groups.get(key);
    if (!group) {
      group = { topics, transport, clients: new Set() };
      this.#groups.set(key, group);
      for (const topic of topics) {
        const groups = this.#byTopic.get(topic);
        if (groups) groups.add(group);
        else this.#byTopic.set(topic, new Set([group]));
      }
    }
    group.clients.add(client);
  }

  #ungroup(client: Client): void {
    const key = groupKey(client);
    const group = this.#groups.get(key);
    if (!group?.clients.delete(client) || group.clients.size > 0) return;
    this.#groups.delete(key);
    for (const topic of group.topics) {
      const groups = this.#byTopic.get(topic);
      groups?.delete(group);
      if (groups?.size === 0) this.#byTopic.delete(topic);
    }
  }
}

const groupKey = ({ transport, topics }: Client): string => `${transport.name} ${topics}`;

const messageOf = (position: Position, events: readonly StoredEvent[]): EventMessage => ({
  position: writePosition(position),
  events: events.map(({ topic, payload }) => ({ topic, payload })),
});

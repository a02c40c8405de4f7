import type { BaseLogger } from 'pino';
import type { EventMessage } from '#contracts/realtime.ts';
import { findUnavailable } from '../../platform/database/pool/unavailable.ts';
import type { Client } from './groups.ts';
import { isReplayable, type Position, writePosition } from './position.ts';
import { type EventStore, KEPT_SECONDS, type StoredEvent } from './store.ts';

/** A client that has missed more is told so, and reads again what it shows. */
const MAX_EVENTS = 500;
/** Read at a time, so that they leave the pool's connections to others. */
const MAX_RUNNING = 4;
/** What is held for a client, in bytes; beyond, it is told that it has missed something. */
const MAX_HELD = 64 * 1_024;

/** What a client that joins continues from, and what its first message says it may not read. */
export interface Joining {
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

interface Behind extends Joining {
  readonly replay: Replay;
  readonly held: Buffer[];
  bytes: number;
}

export const messageOf = (position: Position, events: readonly StoredEvent[]): EventMessage => ({
  position: writePosition(position),
  events: events.map(({ topic, payload }) => ({ topic, payload })),
});

/** Tells clients what they missed, in their first message. What happens meanwhile is held for them. */
export class Replays {
  readonly #store: EventStore;
  readonly #log: Pick<BaseLogger, 'warn'>;
  readonly #onAway: (clients: readonly Client[]) => void;
  readonly #behind = new Map<Client, Behind>();
  /** Those that have not begun. */
  readonly #waiting = new Set<Replay>();
  #running = 0;

  /** @param onAway Told of clients whose replay found the database away. They still wait, until they are removed. */
  constructor(
    store: EventStore,
    log: Pick<BaseLogger, 'warn'>,
    onAway: (clients: readonly Client[]) => void,
  ) {
    this.#store = store;
    this.#log = log;
    this.#onAway = onAway;
  }

  /** Sends each its first message: at once where there is nothing to read. */
  begin(joining: ReadonlyMap<Client, Joining>, until: Position): void {
    const replays = new Map<string, Replay>();
    for (const [client, joined] of joining) {
      const { after, refused } = joined;
      if (!after || !isReplayable(after, until, KEPT_SECONDS)) {
        sendFirst(client, until, undefined, refused);
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
    while (this.#waiting.size > 0 && this.#running < MAX_RUNNING) void this.#next();
  }

  /** Sends a message, or holds it until the client has had its first one. */
  send(client: Client, message: Buffer): void {
    const behind = this.#behind.get(client);
    if (!behind) {
      client.send(message);
      return;
    }
    behind.held.push(message);
    behind.bytes += message.length;
    if (behind.bytes > MAX_HELD) this.#end(client, undefined);
  }

  /** @returns What the client continues from, where it had no first message yet. */
  remove(client: Client): Joining | undefined {
    const behind = this.#behind.get(client);
    if (!behind) return undefined;
    this.#behind.delete(client);
    const { replay } = behind;
    replay.clients.delete(client);
    if (replay.clients.size === 0) this.#waiting.delete(replay);
    return behind;
  }

  async #next(): Promise<void> {
    const [replay] = this.#waiting;
    if (!replay) return;
    this.#waiting.delete(replay);
    this.#running++;
    const { after, until, topics, clients } = replay;
    try {
      const events = await this.#store.replay(after, until, topics, MAX_EVENTS);
      for (const client of clients) this.#end(client, events);
    } catch (err) {
      if (findUnavailable(err)) this.#onAway([...clients]);
      else {
        this.#log.warn({ err }, 'What a stream had missed could not be read');
        for (const client of clients) this.#end(client, undefined);
      }
    }
    this.#running--;
    void this.#next();
  }

  /** @param events Undefined: they cannot be told. */
  #end(client: Client, events: readonly StoredEvent[] | undefined): void {
    const behind = this.#behind.get(client);
    if (!behind) return;
    this.remove(client);
    sendFirst(client, behind.replay.until, events, behind.refused);
    for (const message of behind.held) client.send(message);
  }
}

function sendFirst(
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

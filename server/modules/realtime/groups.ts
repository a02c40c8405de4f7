import type { EventMessage } from '#contracts/realtime.ts';

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

export interface Group {
  readonly topics: readonly string[];
  readonly transport: Transport;
  readonly clients: Set<Client>;
}

const keyOf = ({ transport, topics }: Client): string => `${transport.name} ${topics}`;

/** Clients by what they get: of the same topics over the same transport, so that a message is written once for all of them. */
export class Groups {
  readonly #groups = new Map<string, Group>();
  readonly #byTopic = new Map<string, Set<Group>>();

  [Symbol.iterator](): Iterator<Group> {
    return this.#groups.values();
  }

  /** Those that get events of a topic. */
  of(topic: string): Iterable<Group> {
    return this.#byTopic.get(topic) ?? [];
  }

  add(client: Client): void {
    const { topics, transport } = client;
    const group = this.#groups.get(keyOf(client)) ?? { topics, transport, clients: new Set() };
    group.clients.add(client);
    if (group.clients.size > 1) return;
    this.#groups.set(keyOf(client), group);
    for (const topic of topics) {
      const groups = this.#byTopic.get(topic);
      if (groups) groups.add(group);
      else this.#byTopic.set(topic, new Set([group]));
    }
  }

  /** Before its topics change. */
  delete(client: Client): void {
    const group = this.#groups.get(keyOf(client));
    if (!group?.clients.delete(client) || group.clients.size > 0) return;
    this.#groups.delete(keyOf(client));
    for (const topic of group.topics) {
      const groups = this.#byTopic.get(topic);
      groups?.delete(group);
      if (groups?.size === 0) this.#byTopic.delete(topic);
    }
  }
}

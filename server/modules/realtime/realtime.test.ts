import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EventMessage } from '#contracts/realtime.ts';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { type EventReader, readEvents } from '../../../tests/support/event-reader.ts';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { announceForeignKey, TcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { until } from '../../../tests/support/until.ts';
import { DatabaseUnavailableError } from '../../platform/database/pool/unavailable.ts';
import type { Events, Identity, Part, Platform } from '../../platform/parts.ts';
import type { Client } from './groups.ts';
import { Hub } from './hub.ts';
import { positionOf, readPosition } from './position.ts';
import { CHANNEL, EventStore } from './store.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());
afterEach(() => vi.useRealTimers());

/** Users by the header `x-user`, while they are signed in. */
const signedIn = new Set(['ada', 'bob']);
const identity: Identity = {
  async identify({ headers }) {
    const userId = String(headers['x-user']);
    return signedIn.has(userId) ? { userId } : undefined;
  },
};
/** The order 42 is Ada's. */
const owners = new Map([['42', 'ada']]);
const shop: Part = {
  name: 'shop',
  eventTopics: {
    news: { access: 'public' },
    orders: { access: 'user', mayRead: ({ scope }, key) => owners.get(key ?? '') === scope?.userId },
    figures: { access: 'operator' },
  },
};

interface Replica {
  server: TestApp;
  url: string;
  events: Events;
  platform: Platform;
}

async function start(databaseUrl = database.url, env: Record<string, string> = {}): Promise<Replica> {
  let platform: Platform | undefined;
  const server = await createTestApp(databaseUrl, env, {
    identity,
    features: [
      (handed) => {
        platform = handed;
        return shop;
      },
    ],
  });
  const events = server.modules.find(({ name }) => name === 'realtime') as Part & Events;
  return { server, url: await server.listen(), events, platform: platform as Platform };
}

let a: Replica;
let b: Replica;
const readers: EventReader[] = [];
beforeEach(async () => {
  a = await start();
  b = await start();
});
afterEach(async () => {
  for (const reader of readers.splice(0)) reader[Symbol.dispose]();
  await a.server[Symbol.asyncDispose]();
  await b.server[Symbol.asyncDispose]();
});

async function read(replica: Replica, topics: string, headers: Record<string, string> = {}) {
  const reader = await readEvents(replica.url, topics, headers);
  readers.push(reader);
  if (reader.status === 200) await reader.joined();
  return reader;
}

const publish = (replica: Replica, topic: string, ...payloads: unknown[]) =>
  replica.server.database.transaction(async (tx) => {
    for (const payload of payloads) await replica.events.publish(tx, topic, payload);
  });

/** Writes an event as a process does that is killed between its commit and its notification. */
const publishAndDie = (payload: unknown) =>
  query(database.url, "insert into events (topic, payload) values ('news', $1)", [JSON.stringify(payload)]);

/** As of a client that comes back. */
const from = (position: string) => ({ 'last-event-id': position });

const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

describe('events', () => {
  it('reach the readers of every replica in order, and only those of their topic', async () => {
    const [onA, onB, other] = [
      await read(a, 'news'),
      await read(b, 'news'),
      await read(b, 'notes:ada', { 'x-user': 'ada' }),
    ];
    for (const one of numbers(1, 50)) await publish(one % 2 ? a : b, 'news', one);
    await until('all events', () => onA.payloads().length === 50 && onB.payloads().length === 50);
    expect(onA.payloads()).toEqual(numbers(1, 50));
    expect(onB.payloads()).toEqual(numbers(1, 50));
    expect(other.payloads()).toEqual([]);
    expect(onA.messages[0]).toMatchObject({ missed: true, events: [] });
    expect(onA.messages.slice(1).every(({ missed }) => missed === undefined)).toBe(true);
  });

  it('of a note come to another replica', async () => {
    const reader = await read(b, 'notes:bob', { 'x-user': 'bob' });
    expect((await readEvents(b.url, 'notes:bob', { 'x-user': 'ada' })).status).toBe(403);
    const headers = { 'x-user': 'bob', 'content-type': 'application/json' };
    const made = await a.server.app.inject({
      method: 'POST',
      url: '/api/notes',
      headers,
      payload: { title: 'Milk' },
    });
    const { id } = made.json();
    await until('its event', () => reader.payloads().length === 1);
    for (const [method, url] of [
      ['DELETE', `/api/notes/${id}`],
      ['POST', `/api/notes/${id}/restore`],
    ] as const) {
      await a.server.app.inject({ method, url, headers: { 'x-user': 'bob' } });
    }
    await until('all three', () => reader.payloads().length === 3);
    expect(reader.payloads()).toEqual([{ id, version: 1 }, { id }, { id, version: 1 }]);
  });

  it('are none of a transaction that is rolled back', async () => {
    const reader = await read(b, 'news');
    const failing = a.server.database.transaction(async (tx) => {
      await a.events.publish(tx, 'news', 'never');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await publish(a, 'news', 'next');
    await until('the next one', () => reader.payloads().length > 0);
    expect(reader.payloads()).toEqual(['next']);
  });

  it('come once each from 16 transactions that overlap, to a reader and to one who comes back at every point', async () => {
    const reader = await read(b, 'news');
    const clients = await Promise.all(
      numbers(1, 16).map(async () => {
        const client = new pg.Client({ connectionString: database.url });
        await client.connect();
        return client;
      }),
    );
    const positions = [reader.position()];
    const order = [7, 3, 15, 0, 12, 9, 1, 14, 4, 11, 6, 2, 13, 8, 5, 10];
    try {
      for (const client of clients) await client.query('begin');
      // Ids are handed out in one order, transactions begin in another and end in a third.
      for (const at of order.toReversed()) await clients[at]?.query('select pg_current_xact_id()');
      for (const [at, client] of clients.entries()) {
        await client.query("insert into events (topic, payload) values ('news', $1)", [String(at)]);
      }
      for (const [count, at] of order.entries()) {
        await clients[at]?.query('commit');
        await query(database.url, "select pg_notify('events', '')");
        await until(`event ${at}`, () => reader.payloads().length === count + 1);
        positions.push(reader.position());
      }
    } finally {
      for (const client of clients) await client.end();
    }
    expect(reader.payloads()).toEqual(order);
    for (const [count, position] of positions.entries()) {
      const again = await read(a, 'news', from(position));
      expect(again.messages[0]?.missed).toBeUndefined();
      expect(again.payloads().toSorted()).toEqual(order.slice(count).toSorted());
    }
  });

  it('are not held up by a publisher that stays open, whose event is never passed over', async () => {
    const reader = await read(b, 'news');
    const finish = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const held = a.server.database.transaction(async (tx) => {
      await a.events.publish(tx, 'news', 'held');
      begun.resolve();
      await finish.promise;
    });
    await begun.promise;
    for (const one of numbers(1, 20)) await publish(a, 'news', one);
    await until('the others', () => reader.payloads().length === 20);
    const position = reader.position();
    await sleep(5_000);
    finish.resolve();
    await held;
    await until('the held one', () => reader.payloads().length === 21);
    expect(reader.payloads()).toEqual([...numbers(1, 20), 'held']);
    expect((await read(a, 'news', from(position))).payloads()).toEqual(['held']);
  });

  it('are not lost while the backend that listens is killed 20 times', async () => {
    const reader = await read(b, 'news');
    let killed = 0;
    let sent = 0;
    const killing = (async () => {
      while (killed < 20) {
        await until('it listens', () => b.platform.listener.available);
        const { rowCount } = await query(
          database.url,
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test listener' and datname = current_database()",
        );
        killed += rowCount ? 1 : 0;
        await until('the loss', () => !b.platform.listener.available || reader.payloads().length === sent);
      }
    })();
    while (killed < 20) await publish(sent % 2 ? a : b, 'news', ++sent);
    await killing;
    await until('all events', () => reader.payloads().length >= sent);
    expect(reader.payloads()).toEqual(numbers(1, sent));
    expect(reader.ended).toBe(false);
  });

  it('of a publisher that was killed between commit and notification come with the next heartbeat', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const reader = await read(b, 'news');
    const readings = vi.spyOn(EventStore.prototype, 'read');
    let listens = false;
    let notified = 0;
    b.platform.listener.on(CHANNEL, () => notified++, { onReconnect: () => (listens = true) });
    await until('it listens', () => listens);
    await publish(a, 'news', 'first');
    // A reading that is under way could find the next event by chance.
    await until('the end of reading', () => {
      const ended = readings.mock.settledResults.every(({ type }) => type !== 'incomplete');
      return notified === 1 && ended && reader.payloads().length === 1;
    });
    await publishAndDie('late');
    await sleep(300);
    expect(reader.payloads()).toEqual(['first']);
    vi.advanceTimersByTime(15_000);
    await until('the event', () => reader.payloads().length === 2);
    expect(reader.payloads()).toEqual(['first', 'late']);
  });

  it('come behind a transaction pooler, by looking', async () => {
    const direct = new URL(database.url);
    const proxy = await TcpProxy.start(
      { host: direct.hostname, port: Number(direct.port) },
      announceForeignKey,
    );
    direct.hostname = '127.0.0.1';
    direct.port = String(proxy.port);
    const pooled = await start(direct.href);
    const reader = await read(pooled, 'news');
    await until('it is found out', () => pooled.platform.listener.polling);
    await publish(a, 'news', 'pooled');
    await until('the event', () => reader.payloads().length === 1);
    reader[Symbol.dispose]();
    await pooled.server[Symbol.asyncDispose]();
    await proxy.stop();
  });

  it('come again after the database was away', async () => {
    const direct = new URL(database.url);
    const proxy = await TcpProxy.start({ host: direct.hostname, port: Number(direct.port) });
    direct.hostname = '127.0.0.1';
    direct.port = String(proxy.port);
    const far = await start(direct.href);
    const reader = await read(far, 'news');
    await proxy.refuse();
    await publish(a, 'news', 'meanwhile');
    await sleep(500);
    await proxy.pass();
    await until('the event', () => reader.payloads().length === 1);
    expect(reader.ended).toBe(false);
    reader[Symbol.dispose]();
    await far.server[Symbol.asyncDispose]();
    await proxy.stop();
  });

  it('with a large payload or of an unknown topic are refused', async () => {
    await expect(publish(a, 'news', 'x'.repeat(1_000))).rejects.toThrow(/1000 bytes/);
    await expect(publish(a, 'nws', 1)).rejects.toThrow(/No part declares the topic 'nws'/);
  });

  it.each(['a\0b', '\ud83d', 'x\\\udc00', { '\0': 1 }])(
    'with %j are refused before they reach the transaction',
    async (payload) => {
      const reader = await read(a, 'news');
      await a.server.database.transaction(async (tx) => {
        await expect(a.events.publish(tx, 'news', payload)).rejects.toThrow(/an event of 'news'/);
        await a.events.publish(tx, 'news', '\\u0000 \\\\ud83d 😀');
      });
      await until('the other', () => reader.payloads().length === 1);
      expect(reader.payloads()).toEqual(['\\u0000 \\\\ud83d 😀']);
    },
  );

  it('are notified at most once in 25 ms by one process', async () => {
    const listener = new pg.Client({ connectionString: database.url });
    await listener.connect();
    let notified = 0;
    listener.on('notification', () => notified++);
    await listener.query('listen events');
    const began = performance.now();
    await Promise.all(numbers(1, 200).map((one) => publish(a, 'news', one)));
    const reader = await read(a, 'news');
    await publish(a, 'news', 'last');
    await until('the last', () => reader.payloads().includes('last'));
    const tookMs = performance.now() - began;
    await listener.end();
    expect(notified).toBeGreaterThan(0);
    expect(notified).toBeLessThanOrEqual(tookMs / 25 + 2);
  });

  it('go after an hour, when another is written', async () => {
    await query(database.url, 'truncate events');
    await query(
      database.url,
      `insert into events (topic, payload, created_at)
       select 'news', to_jsonb(n), now() - interval '61 minutes' from generate_series(1, 7000) n`,
    );
    await publish(a, 'news', 'fresh');
    const left = () => query(database.url, 'select payload from events');
    await until('the old ones to go', async () => (await left()).rowCount === 1);
    expect((await left()).rows).toEqual([{ payload: 'fresh' }]);
  });
});

describe('a reader that comes back', () => {
  it('is told what it missed, of its topics, on another replica and in order', async () => {
    const before = await read(a, 'news');
    before.response.destroy();
    await publish(b, 'news', ...numbers(1, 400));
    await publish(b, 'notes:ada', { id: 1 });
    const after = await read(b, 'news', from(before.position()));
    expect(after.messages[0]?.missed).toBeUndefined();
    expect(after.payloads()).toEqual(numbers(1, 400));
    const last = await read(a, 'news', from(after.position()));
    expect(last.payloads()).toEqual([]);
    await publish(b, 'news', 'next');
    await until('the next one', () => last.payloads().length === 1 && after.payloads().length === 401);
  });

  it('is told that it missed something where that is too much, too old, or of another database', async () => {
    const reader = await read(a, 'news');
    const position = reader.position();
    await publish(b, 'news', ...numbers(1, 501));
    await until('all of them live', () => reader.payloads().length === 501);
    expect(reader.payloads()).toEqual(numbers(1, 501));
    const [snapshot = ''] = position.split('@');
    const now = Math.floor(Date.now() / 1_000);
    const old = `${snapshot}@${now - 3_700}`;
    const future = `999999999999:999999999999:@${now}`;
    for (const wrong of [position, old, future]) {
      const again = await read(b, 'news', from(wrong));
      expect(again.messages).toMatchObject([{ missed: true, events: [] }]);
    }
  });

  it('may send anything as its position', async () => {
    const now = Math.floor(Date.now() / 1_000);
    const odd = [
      '',
      'x',
      '-1:5:@1',
      '5:1:@1',
      '0:0:@0',
      '1:9:9@1',
      '1:9:5,4@1',
      '1:9:5,5@1',
      '1:9:,@1',
      "1:1:@1'; drop table events; --",
      `9223372036854775807:9223372036854775807:@${now}`,
      `9223372036854775808:9223372036854775808:@${now}`,
      `1:${'9'.repeat(19)}:@${now}`,
      '1'.repeat(8_000),
      `1:3000:${numbers(1, 2_999)}@${now}`,
    ];
    for (const position of odd) {
      const reader = await read(a, 'news', from(position));
      expect(reader.messages[0]).toMatchObject({ missed: true, events: [] });
    }
    // The smallest that is valid asks for everything, which is more than is told.
    const all = await read(a, 'news', from(`1:1:@${now}`));
    expect(all.messages).toHaveLength(1);
    expect(b.server.lines.filter(({ level }) => Number(level) >= 40)).toEqual([]);
    expect(a.server.lines.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });

  it('is told nothing of transactions of another history, as after a restore', async () => {
    await query(database.url, "insert into events (topic, payload, xid) values ('news', '0', '8888888888')");
    const reader = await read(a, 'news');
    await publish(b, 'news', 'real');
    await until('the real one', () => reader.payloads().length > 0);
    await publish(b, 'news', 'next');
    await until('the next', () => reader.payloads().length > 1);
    expect(reader.payloads()).toEqual(['real', 'next']);
    await query(database.url, "delete from events where xid = '8888888888'");
  });
});

describe('a replay that takes long', () => {
  const transport = { name: 'test', encode: (message: EventMessage) => Buffer.from(JSON.stringify(message)) };
  let store: EventStore;
  let hub: Hub;
  let warned: unknown[];
  beforeEach(() => {
    warned = [];
    store = new EventStore(a.platform.db, a.platform.log);
    hub = new Hub(store, a.platform.listener, { warn: (...args: unknown[]) => void warned.push(args) });
  });
  afterEach(() => hub.end());

  function join(after?: string, topics: readonly string[] = ['news']) {
    const messages: EventMessage[] = [];
    let allowed = topics;
    let ended = false;
    const client: Client = {
      transport,
      topics,
      allowed: async () => allowed,
      userId: () => 'ada',
      send: (message) => messages.push(JSON.parse(message.toString())),
      end: () => {
        ended = true;
      },
    };
    hub.join(client, readPosition(after));
    return {
      client,
      messages,
      payloads: () => messages.flatMap(({ events }) => events.map(({ payload }) => payload)),
      async nowMayRead(...fewer: string[]) {
        allowed = fewer;
        await hub.identityChanged('ada');
      },
      get ended() {
        return ended;
      },
    };
  }

  /** Replays wait until they are let go. */
  function holdReplays() {
    const replay = store.replay.bind(store);
    const go = Promise.withResolvers<void>();
    const held = vi.spyOn(store, 'replay').mockImplementation(async (...args) => {
      await go.promise;
      return replay(...args);
    });
    return { asked: () => held.mock.calls.length, go: () => go.resolve() };
  }

  /** @returns A position behind which there is one event. */
  async function missOne(topic = 'news') {
    const reader = join();
    await until('its position', () => reader.messages.length === 1);
    await publish(a, topic, 'missed');
    await until('the listener', () => a.platform.listener.available);
    return reader.messages[0]?.position ?? '';
  }

  it('holds up nobody else, and is followed by what happened meanwhile', async () => {
    const position = await missOne();
    const replays = holdReplays();
    const behind = join(position);
    await until('its question', () => replays.asked() === 1);
    const other = join();
    await publish(b, 'news', 'live');
    await until('the event', () => other.payloads().includes('live'));
    expect(behind.messages).toEqual([]);
    replays.go();
    await until('the rest', () => behind.payloads().length === 2);
    expect(behind.payloads()).toEqual(['missed', 'live']);
    expect(behind.messages.every(({ missed }) => missed === undefined)).toBe(true);
  });

  it('is told as missed where too much happens meanwhile', async () => {
    const position = await missOne();
    const replays = holdReplays();
    const behind = join(position);
    await until('its question', () => replays.asked() === 1);
    await publish(b, 'news', ...Array(100).fill('x'.repeat(900)));
    await until('all of them', () => behind.payloads().length === 100);
    expect(behind.messages[0]).toMatchObject({ missed: true, events: [] });
    replays.go();
    await publish(b, 'news', 'next');
    await until('the next', () => behind.payloads().includes('next'));
    expect(behind.payloads()).toHaveLength(101);
  });

  it('is one of four at a time, and none where its client has left', async () => {
    const position = await missOne();
    const replays = holdReplays();
    const behind = numbers(1, 8).map((one) => join(position, [`news:${one}`]));
    await until('four', () => replays.asked() === 4);
    const other = join();
    await until('the other', () => other.messages.length === 1);
    for (const { client } of behind.slice(4, 7)) hub.leave(client);
    replays.go();
    const told = [0, 1, 2, 3, 7];
    await until('all who stay', () => told.every((at) => behind[at]?.messages.length === 1));
    expect(replays.asked()).toBe(5);
    expect(behind.map(({ messages }) => messages.length)).toEqual([1, 1, 1, 1, 0, 0, 0, 1]);
  });

  it('and fails is asked once, and told as missed to its client alone', async () => {
    const position = await missOne();
    const failing = vi.spyOn(store, 'replay').mockRejectedValueOnce(new Error('canceled'));
    const behind = join(position);
    await until('its answer', () => behind.messages.length === 1);
    expect(behind.messages[0]).toMatchObject({ missed: true, events: [] });
    const next = join(position);
    await publish(b, 'news', 'live');
    await until('the event', () => next.payloads().includes('live') && behind.payloads().includes('live'));
    expect(next.payloads()).toEqual(['missed', 'live']);
    expect(failing).toHaveBeenCalledTimes(2);
    expect(warned).toHaveLength(1);
  });

  it('is asked again where the database was away', async () => {
    const position = await missOne();
    vi.spyOn(store, 'replay').mockRejectedValueOnce(new DatabaseUnavailableError('away'));
    const behind = join(position);
    // It may have asked a second time by now.
    await until('its question', () => vi.mocked(store.replay).mock.calls.length > 0);
    await publish(b, 'news', 'live');
    // What is read again may hold what has come meanwhile.
    await until('both', () => ['missed', 'live'].every((one) => behind.payloads().includes(one)));
    expect(behind.messages.every(({ missed }) => missed === undefined)).toBe(true);
    expect(warned).toEqual([]);
  });

  it('tells nothing of a topic that may no longer be read', async () => {
    const position = await missOne('orders:42');
    const replays = holdReplays();
    const behind = join(position, ['news', 'orders:42']);
    await until('its question', () => replays.asked() === 1);
    await publish(b, 'orders:42', 'held');
    await behind.nowMayRead('news');
    await until('a question for fewer', () => replays.asked() === 2);
    replays.go();
    await publish(b, 'news', 'public');
    await until('what is public', () => behind.payloads().length > 0);
    expect(behind.payloads()).toEqual(['public']);
    expect(behind.messages[0]?.refused).toEqual(['orders:42']);
    await behind.nowMayRead();
    await until('the end', () => behind.ended);
  });

  it('does not give back the topics of before to who has joined again', async () => {
    const reader = join(undefined, ['news', 'orders:42']);
    await until('its position', () => reader.messages.length === 1);
    // Access is asked once when listening begins.
    await until('it listens', () => a.platform.listener.available);
    const answer = Promise.withResolvers<string[]>();
    const asked = vi.spyOn(reader.client, 'allowed').mockReturnValueOnce(answer.promise);
    await hub.identityChanged('ada');
    await until('the question', () => asked.mock.calls.length === 1);
    hub.leave(reader.client);
    reader.client.topics = ['notes'];
    hub.join(reader.client, undefined);
    answer.resolve(['news']);
    await until('its first message', () => reader.messages.length === 2);
    await publish(b, 'news', 'of before');
    await publish(b, 'notes', 'wanted');
    await until('the event', () => reader.payloads().length > 0);
    expect(reader.payloads()).toEqual(['wanted']);
  });
});

it('that is open is told when the database has lost what it was told, as after a restore', async () => {
  const store = new EventStore(a.platform.db, a.platform.log);
  // Transactions that the database which is there now has never seen.
  const later = store.read.bind(store);
  vi.spyOn(store, 'read').mockImplementationOnce(async () => {
    const { position } = await later(undefined);
    const xid = position.xmax + 1_000n;
    return { events: [], position: positionOf(`${xid}:${xid}:`, position.at), next: undefined };
  });
  const hub = new Hub(store, a.platform.listener, a.platform.log);
  const messages: EventMessage[] = [];
  const client: Client = {
    transport: { name: 'test', encode: (message) => Buffer.from(JSON.stringify(message)) },
    topics: ['news'],
    allowed: async () => ['news'],
    userId: () => undefined,
    send: (message) => messages.push(JSON.parse(message.toString())),
    end() {},
  };
  try {
    hub.join(client, undefined);
    await until('its first message', () => messages.length > 0);
    hub.look();
    await until('the next', () => messages.length > 1);
    expect(messages[1]).toMatchObject({ missed: true, events: [] });
    expect(readPosition(messages[1]?.position)?.xmax).toBeLessThan(
      readPosition(messages[0]?.position)?.xmax ?? 0n,
    );
  } finally {
    hub.leave(client);
    hub.end();
  }
});

describe('access', () => {
  const status = async (topics: string, headers: Record<string, string> = {}) => {
    const reader = await read(a, topics, headers);
    reader[Symbol.dispose]();
    return reader.status;
  };

  it('is asked for each topic', async () => {
    expect(await status('orders:42')).toBe(401);
    expect(await status('orders:42', { 'x-user': 'ada' })).toBe(200);
    expect(await status('orders:42', { 'x-user': 'bob' })).toBe(403);
    expect(await status('orders', { 'x-user': 'ada' })).toBe(403);
    expect(await status('figures', { 'x-user': 'ada' })).toBe(401);
    expect(await status('unknown')).toBe(404);
    expect(await status('news')).toBe(200);
    for (const wrong of [
      '',
      'News',
      'news,',
      'a b',
      'news:',
      numbers(1, 51)
        .map((n) => `t${n}`)
        .join(),
    ]) {
      expect(await status(wrong)).toBe(400);
    }
    const some = await read(a, 'orders:42,news,figures', { 'x-user': 'ada' });
    expect(some.messages[0]?.refused).toEqual(['figures']);
    await publish(b, 'figures', 1);
    await publish(b, 'orders:43', 2);
    await publish(b, 'orders:42', 3);
    await until('what is for her', () => some.payloads().length > 0);
    expect(some.payloads()).toEqual([3]);
  });

  it('is refused, for operators’ topics alone, to a client that guesses their keys', async () => {
    const guess = (n: number) => status('figures,figures:1', { 'x-api-key': `guess-${n}` });
    for (let n = 0; n < 10; n++) expect(await guess(n)).toBe(401);
    expect(await guess(10)).toBe(429);
    const mixed = await read(a, 'news,figures', { 'x-api-key': 'guess' });
    expect(mixed.messages[0]?.refused).toEqual(['figures']);
    expect(await status('news', { 'x-api-key': 'guess' })).toBe(200);
    expect(a.server.app.rateLimits.refused).toEqual({ 'operator-keys': 2 });
  });

  it('is asked at replay', async () => {
    const ada = await read(a, 'orders:42', { 'x-user': 'ada' });
    await publish(a, 'orders:42', 'secret');
    expect((await read(a, 'orders:42', { 'x-user': 'bob', ...from(ada.position()) })).status).toBe(403);
    const mixed = await read(a, 'news,orders:42', {
      'x-user': 'bob',
      ...from(ada.messages[0]?.position ?? ''),
    });
    expect(mixed.payloads()).toEqual([]);
  });

  it('ends at once on every replica when an identity has changed', async () => {
    const headers = { 'x-user': 'ada' };
    const [ada, both, bob] = [
      await read(a, 'orders:42', headers),
      await read(b, 'news,orders:42', headers),
      await read(b, 'notes:bob', { 'x-user': 'bob' }),
    ];
    await until('they listen', () => a.platform.listener.available && b.platform.listener.available);
    signedIn.delete('ada');
    try {
      await a.events.identityChanged('ada');
      await until('the end of her stream', () => ada.ended);
      await until('the loss of her topic', () => both.messages.at(-1)?.refused?.length === 1);
      await publish(a, 'orders:42', 'secret');
      await publish(a, 'news', 'public');
      await until('what is public', () => both.payloads().length > 0);
      expect(both.payloads()).toEqual(['public']);
      expect(ada.payloads()).toEqual([]);
      expect(bob.ended).toBe(false);
    } finally {
      signedIn.add('ada');
    }
  });

  it('ends with the next heartbeat when nobody says so, and stays while it cannot be asked', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const ada = await read(a, 'orders:42', { 'x-user': 'ada' });
    vi.advanceTimersByTime(15_000);
    await publish(a, 'orders:42', 1);
    await until('an event', () => ada.payloads().length === 1);
    owners.set('42', 'bob');
    try {
      vi.advanceTimersByTime(15_000);
      await until('the end', () => ada.ended);
    } finally {
      owners.set('42', 'ada');
    }
  });
});

describe('a stream', () => {
  it('that is not read is let go, and the others go on', async () => {
    const slow = await read(a, 'news');
    const quick = await read(a, 'news');
    slow.response.pause();
    const filler = 'x'.repeat(900);
    let sent = 0;
    await until('the end of the slow one', async () => {
      await publish(b, 'news', ...Array(200).fill(filler));
      sent += 200;
      return a.server.app.connections.open === 1;
    });
    await until('all of them', () => quick.payloads().length === sent);
    expect(quick.ended).toBe(false);
  });

  it('ends when the process drains, and goes on elsewhere without a loss', async () => {
    const reader = await read(a, 'news');
    expect(reader.text()).toMatch(/^retry: [23]\d{3}\n\n/);
    await publish(b, 'news', 'before');
    await until('the first', () => reader.payloads().length === 1);
    a.server.lifecycle.to('draining');
    await until('the end', () => reader.ended);
    await publish(b, 'news', 'between');
    const next = await read(b, 'news', from(reader.position()));
    expect(next.payloads()).toEqual(['between']);
  });

  it('that is the last leaves nothing running', async () => {
    const set = vi.spyOn(globalThis, 'setInterval');
    const clear = vi.spyOn(globalThis, 'clearInterval');
    const reader = await read(a, 'news');
    await until('it listens', () => a.platform.listener.available);
    reader[Symbol.dispose]();
    await until('the connection to close', () => a.server.app.connections.open === 0);
    const beats = set.mock.calls.flatMap(([, ms], at) =>
      ms === 15_000 ? [set.mock.results[at]?.value] : [],
    );
    // The stream's own, and the one of all streams.
    expect(beats).toHaveLength(2);
    for (const beat of beats) expect(clear).toHaveBeenCalledWith(beat);
    vi.restoreAllMocks();
    await query(
      database.url,
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test listener' and datname = current_database()",
    );
    await until('the loss', () => !a.platform.listener.available);
    await sleep(1_000);
    expect(a.platform.listener.available).toBe(false);
    // The next reader needs it again, and so opens it.
    await read(a, 'news');
    await until('it listens', () => a.platform.listener.available);
  });

  it('is told where it is every ten minutes, so that it can come back after a quiet hour', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const reader = await read(a, 'news');
    await a.server.database.db.execute(sql`select pg_current_xact_id()`);
    for (let beats = 0; beats < 40; beats++) {
      vi.advanceTimersByTime(15_000);
      await new Promise(setImmediate);
    }
    await until('a second message', () => reader.messages.length > 1);
    expect(readPosition(reader.position())).toBeDefined();
  });
});

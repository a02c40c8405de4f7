import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { topicOf } from '../../server/features/notes/queries.ts';
import { readEvents } from '../../tests/support/event-reader.ts';
import { createDatabase, query, type TestDatabase } from '../../tests/support/postgres.ts';
import { freePort, type SpawnedServer, startServer } from '../../tests/support/server.ts';
import { TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { until } from '../../tests/support/until.ts';
import { user } from '../../tests/support/user.ts';
import { startPooler } from './support/machines.ts';
import type { Row } from './support/rows.ts';
import { fullOrShort, has, record, ms as toMs, within } from './support/suite.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

const WRITERS = 8;
const KILLS = 5;
const TOPIC = topicOf(user.id);
const JSON_TYPE = { ...user.headers, 'content-type': 'application/json' };

it('a publisher that is killed under load at any moment loses no event that it committed', async () => {
  const env = { DATABASE_URL: database.url };
  await using reader = await startServer(env);
  const port = String(await freePort());
  let publisher: SpawnedServer = await startServer({ ...env, PORT: port });
  await Promise.all([reader.ready(), publisher.ready()]);
  using stream = await readEvents(reader.url, TOPIC, user.headers);
  await stream.joined();

  let writing = true;
  const writers = Array.from({ length: WRITERS }, async () => {
    while (writing) {
      await fetch(`http://127.0.0.1:${port}/api/notes`, {
        method: 'POST',
        headers: JSON_TYPE,
        body: '{"title":"x"}',
      }).catch(() => sleep(20));
    }
  });
  for (let kills = 0; kills < KILLS; kills++) {
    await sleep(300 + Math.random() * 700);
    await publisher.end('SIGKILL');
    publisher = await startServer({ ...env, PORT: port });
    await publisher.ready();
  }
  writing = false;
  await Promise.all(writers);
  await publisher.end();

  const { rows } = await query(database.url, 'select id::int from notes order by id');
  const committed = rows.map(({ id }) => id as number);
  expect(committed.length).toBeGreaterThan(100);
  const told = () => stream.payloads(TOPIC).map((payload) => (payload as { id: number }).id);
  await until('all events', () => told().length >= committed.length);
  expect(told().toSorted((one, other) => one - other)).toEqual(committed);
  record('eventsKilled', `${committed.length.toLocaleString('en')} committed, all of them told`);
  expect(stream.ended).toBe(false);
});

const title = (n: number) => JSON.stringify({ title: String(n) });

interface Fault extends AsyncDisposable {
  /** Of the server that is read from. */
  env: Record<string, string>;
  begin?(reader: SpawnedServer): unknown;
  end?(reader: SpawnedServer): unknown;
}

/** A reader on a server with a fault, while another one writes: before, during and after it. */
async function missesNothing(row: Row, ms: number, fault: (databaseUrl: string) => Promise<Fault>) {
  const own = await createDatabase();
  await using writer = await startServer({ DATABASE_URL: own.url });
  await writer.ready();
  await using wrong = await fault(own.url);
  await using reader = await startServer(wrong.env);
  await reader.ready();
  using stream = await readEvents(reader.url, TOPIC, user.headers);
  await stream.joined();
  const told = () => stream.payloads(TOPIC).map((payload) => (payload as { id: number }).id);
  let written = 0;
  const write = async (count: number) => {
    for (const last = written + count; written < last; written++)
      await fetch(`${writer.url}/api/notes`, {
        method: 'POST',
        headers: JSON_TYPE,
        body: title(written),
      });
  };
  await write(10);
  await until('the first events', () => told().length === 10);
  await wrong.begin?.(reader);
  await Promise.all([write(50), sleep(ms)]);
  await wrong.end?.(reader);
  const ended = performance.now();
  await until('those of the fault', () => told().length === 60);
  const tookMs = performance.now() - ended;
  await write(10);
  await until('the last events', () => told().length === 70);
  expect(told()).toEqual(Array.from({ length: 70 }, (_, n) => n + 1));
  record(row, `50 events during ${ms / 1_000} s: told of the last ${toMs(tookMs)} after it, in order`);
  expect(tookMs).toBeLessThan(within(5_000));
  expect(stream.ended).toBe(false);
}

describe.concurrent('a reader misses nothing', () => {
  it('while the database is out of reach', () =>
    missesNothing('eventsAway', fullOrShort(60_000, 8_000), async (databaseUrl) => {
      const url = new URL(databaseUrl);
      const proxy = await TcpProxy.start({ host: url.hostname, port: Number(url.port) });
      url.port = String(proxy.port);
      return {
        env: { DATABASE_URL: url.href, DB_CONNECT_TIMEOUT_MS: '2000' },
        begin: () => proxy.refuse(),
        end: () => proxy.pass(),
        [Symbol.asyncDispose]: () => proxy.stop(),
      };
    }));

  it('while its server is frozen', () =>
    missesNothing('eventsFrozen', fullOrShort(60_000, 3_000), async (databaseUrl) => ({
      env: { DATABASE_URL: databaseUrl },
      begin: ({ child }) => child.kill('SIGSTOP'),
      end: ({ child }) => child.kill('SIGCONT'),
      [Symbol.asyncDispose]: async () => {},
    })));

  it.skipIf(!has('pgbouncer'))('behind a transaction pooler', () =>
    missesNothing('eventsPooler', 3_000, async (databaseUrl) => {
      const pooler = await startPooler(databaseUrl);
      return {
        env: { DATABASE_URL: pooler.url, MIGRATE_ON_START: 'false' },
        [Symbol.asyncDispose]: () => pooler[Symbol.asyncDispose](),
      };
    }),
  );
});

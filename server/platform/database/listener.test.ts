import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { announceForeignKey, TcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { until } from '../../../tests/support/until.ts';
import { runAsWorkOf } from '../lib/request-work.ts';
import { Listener } from './listener.ts';

const NAME = 'listener test';
let own: TestDatabase;
let direct: pg.ClientConfig & { host: string; port: number };

beforeAll(async () => {
  own = await createDatabase('empty');
  const url = new URL(own.url);
  direct = {
    host: url.hostname,
    port: Number(url.port),
    user: url.username,
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
  };
});
afterAll(() => own.drop());

interface Scene {
  proxy: TcpProxy;
  listener: Listener;
  lines: string[];
}

async function start(fromServer?: (chunk: Buffer) => Buffer) {
  const proxy = await TcpProxy.start(direct, fromServer);
  const lines: string[] = [];
  const write = (fields: object | string, message?: string) => void lines.push(message ?? String(fields));
  const connection = { ...direct, host: '127.0.0.1', port: proxy.port };
  const options = { connection, connectTimeoutMs: 5_000, applicationName: NAME };
  const listener = new Listener(options, { debug: write, info: write, warn: write });
  return { proxy, listener, lines };
}

const it = test.extend<{ scene: Scene; pooled: Scene }>({
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads the names of what a fixture needs from its parameter.
  scene: async ({}, use) => {
    const scene = await start();
    await use(scene);
    await scene.listener.close();
    await scene.proxy.stop();
  },
  // biome-ignore lint/correctness/noEmptyPattern: as above
  pooled: async ({}, use) => {
    const scene = await start(announceForeignKey);
    await use(scene);
    await scene.listener.close();
    await scene.proxy.stop();
  },
});

const notify = (channel: string, payload: string) =>
  query(own.url, 'select pg_notify($1, $2)', [channel, payload]);
const BACKENDS = `from pg_stat_activity where application_name = '${NAME}'`;
const backends = async () => (await query(own.url, `select pid, query ${BACKENDS}`)).rows;
const kill = () => query(own.url, `select pg_terminate_backend(pid) ${BACKENDS}`);

it('opens one connection for everybody, when the first subscribes, and ends it with the last', async ({
  scene: { listener },
}) => {
  expect(await backends()).toEqual([]);
  const got: string[] = [];
  const begun: string[] = [];
  const off = ['one', 'two', 'Odd "name"'].map((channel) =>
    listener.on(channel, (payload) => got.push(`${channel}: ${payload}`), {
      onReconnect: () => begun.push(channel),
    }),
  );
  await until('all three to listen', () => begun.length === 3);
  expect(listener.available).toBe(true);
  expect(await backends()).toHaveLength(1);
  off.push(
    listener.on('two', (payload) => got.push(`again: ${payload}`), {
      onReconnect: () => begun.push('again'),
    }),
  );
  await until('the fourth', () => begun.length === 4);
  await notify('two', 'hello');
  await notify('Odd "name"', '');
  await until('three calls', () => got.length === 3);
  expect(got).toEqual(['two: hello', 'again: hello', 'Odd "name": ']);
  off.pop()?.();
  await notify('two', 'bye');
  await until('one call', () => got.length === 4);
  expect(got.at(-1)).toBe('two: bye');
  for (const end of off) end();
  await until('the end of the connection', async () => (await backends()).length === 0);
  expect(listener.available).toBe(false);
});

it('is opened again at once while it is held, and every subscriber looks', async ({
  scene: { listener },
}) => {
  let begun = 0;
  const got = new Set<string>();
  listener.on('a', (payload) => got.add(payload), { onReconnect: () => begun++ });
  const release = listener.hold();
  for (let times = 1; times <= 20; times++) {
    await until(`connection ${times}`, () => begun === times && listener.available);
    await notify('a', String(times));
    await until('the notification', () => got.has(String(times)));
    await kill();
  }
  release();
  release();
});

it('lets a database sleep while nothing needs it, until it is touched', async ({
  scene: { listener, proxy, lines },
}) => {
  let begun = 0;
  listener.on('a', () => {}, { onReconnect: () => begun++ });
  const release = listener.hold();
  await until('it listens', () => begun === 1);
  release();
  await kill();
  await until('the loss', () => lines.some((line) => line.includes('was lost')));
  // Longer than any pause between attempts.
  await sleep(2_500);
  expect(proxy.connections).toBe(0);
  expect(begun).toBe(1);
  listener.touch();
  await until('it listens again', () => begun === 2);
  expect(await backends()).toHaveLength(1);
});

it('tries again with pauses while the database is away and it is held, and warns once', async ({
  scene: { listener, proxy, lines },
}) => {
  let begun = 0;
  listener.on('a', () => {}, { onReconnect: () => begun++ });
  listener.hold();
  await until('it listens', () => begun === 1);
  await proxy.refuse();
  await until('a failed attempt', () => lines.some((line) => line.includes('could not be opened')));
  await sleep(1_500);
  expect(lines.filter((line) => line.includes('could not be opened'))).toHaveLength(1);
  await proxy.pass();
  await until('it listens again', () => begun === 2);
});

it('touches cost one attempt at a time while the database is away', async ({
  scene: { listener, proxy },
}) => {
  await proxy.refuse();
  let begun = 0;
  listener.on('a', () => {}, { onReconnect: () => begun++ });
  for (let touches = 0; touches < 1_000; touches++) listener.touch();
  await proxy.pass();
  await until('a touch that is heeded', () => {
    listener.touch();
    return begun === 1;
  });
});

it('looks every two seconds behind a transaction pooler, while it is held', async ({
  pooled: { listener, proxy, lines },
}) => {
  const looks: number[] = [];
  listener.on('a', () => {}, { onReconnect: () => looks.push(performance.now()) });
  await until('it is found out', () => listener.polling);
  expect(listener.available).toBe(false);
  expect(lines).toEqual([expect.stringContaining('DATABASE_DIRECT_URL')]);
  await until('the connection to go', () => proxy.connections === 0);
  expect(looks).toHaveLength(1);
  const release = listener.hold();
  await until('three more looks', () => looks.length === 4);
  release();
  expect((looks[3] ?? 0) - (looks[2] ?? 0)).toBeGreaterThan(1_900);
  await sleep(2_500);
  expect(looks).toHaveLength(4);
});

it('works for a request that nobody waits for any more, and survives a subscriber that throws', async ({
  scene: { listener, lines },
}) => {
  const got: string[] = [];
  runAsWorkOf({ wanted: () => false }, () => {
    listener.on('a', () => {
      throw new Error('broken');
    });
    listener.on('a', (payload) => got.push(payload));
  });
  await until('it listens', () => listener.available);
  await notify('a', '1');
  await until('the second subscriber', () => got.length === 1);
  expect(lines).toEqual(['A subscriber to notifications failed']);
});

it('ends at once, also while it connects to a server that says nothing', async ({
  scene: { listener, proxy },
}) => {
  proxy.swallow();
  listener.on('a', () => {});
  listener.hold();
  await until('an attempt', () => proxy.connections === 1);
  await listener.close();
  await until('its end', () => proxy.connections === 0);
  listener.touch();
  listener.on('b', () => {});
  listener.hold();
  expect(proxy.connections).toBe(0);
});

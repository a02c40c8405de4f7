import { once } from 'node:events';
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { EventMessage } from '#contracts/realtime.ts';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { THINGS, things } from '../../../tests/support/fixture/things.ts';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { until } from '../../../tests/support/until.ts';
import type { Events, Part } from '../../platform/parts.ts';

let database: TestDatabase;
let server: TestApp;
let events: Events;
let url: string;
let mayRead = true;
const shop: Part = {
  name: 'shop',
  eventTopics: {
    news: { access: 'public' },
    orders: { access: 'public', mayRead: () => mayRead },
    figures: { access: 'operator' },
  },
};

const start = (env: Record<string, string>) =>
  createTestApp(database.url, env, { features: [() => shop, things] });
beforeAll(async () => {
  database = await createDatabase();
  await query(database.url, THINGS);
  server = await start({ ENABLE_WEBSOCKETS: 'true', PUBLIC_URL: 'https://app.example.com' });
  events = server.modules.find(({ name }) => name === 'realtime') as Part & Events;
  url = await server.listen();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

const sockets: WebSocket[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const socket of sockets.splice(0)) socket.close();
});

async function open(...wanted: unknown[]) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/events/socket`);
  sockets.push(socket);
  const messages: EventMessage[] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  socket.addEventListener('message', ({ data }) => messages.push(JSON.parse(data)));
  socket.addEventListener('close', closed.resolve as () => void);
  await once(socket, 'open');
  for (const one of wanted) socket.send(typeof one === 'string' ? one : JSON.stringify(one));
  return {
    socket,
    messages,
    closed: closed.promise,
    payloads: () => messages.flatMap((message) => message.events.map(({ payload }) => payload)),
    joined: () => until('its first message', () => messages.length > 0),
  };
}

const publish = (topic: string, ...payloads: unknown[]) =>
  server.database.transaction(async (tx) => {
    for (const payload of payloads) await events.publish(tx, topic, payload);
  });

/** Asks for an upgrade, as a page of another origin does. @returns The status. */
async function upgrade(origin: string | undefined, to = url): Promise<number> {
  const request: ClientRequest = get(`${to}/api/events/socket`, {
    agent: false,
    headers: {
      ...(origin === undefined ? {} : { origin }),
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    },
  });
  const answer = await Promise.race([once(request, 'upgrade'), once(request, 'response')]);
  const response = answer[0] as IncomingMessage;
  response.socket.destroy();
  return response.statusCode ?? 0;
}

it('is answered where ENABLE_WEBSOCKETS is set, and for its own origins alone', async () => {
  expect(await upgrade(url)).toBe(101);
  expect(await upgrade(undefined)).toBe(101);
  expect(await upgrade('https://app.example.com')).toBe(101);
  expect(await upgrade('https://evil.example.com')).toBe(403);
  expect(await upgrade('null')).toBe(403);
  expect(await upgrade(`${url}.evil.example.com`)).toBe(403);
  await using without = await start({});
  const address = await without.listen();
  expect(await upgrade(address, address)).toBe(404);
});

it('takes no other connection out of HTTP', async () => {
  // As Java's client asks by itself. Two requests, the second behind a body.
  const asking =
    'Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  let heard = '';
  socket.on('data', (data) => {
    heard += data;
  });
  try {
    const body = JSON.stringify({ name: 'asked for HTTP/2' });
    socket.write(
      `POST /api/things HTTP/1.1\r\n${asking}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await until('the first answer', () => /^HTTP\/1\.1 201 /.test(heard));
    socket.write('GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await until('the second answer', () => /"alive":true/.test(heard));
  } finally {
    socket.destroy();
  }
});

it('ends a connection that asks for it before another answer is out', async () => {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  const body = JSON.stringify({ name: 'under way' });
  socket.write(
    `POST /api/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
      'GET /api/events/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  socket.on('error', () => {}).resume();
  await once(socket, 'close');
  await until('its end on the server', () => server.app.connections.open === 0);
  expect(server.lines.map(({ msg }) => msg)).not.toContain('websocket upgrade failed');
});

it('tells what the stream tells, changes its topics, and continues', async () => {
  const client = await open({ topics: ['news', 'figures'] });
  await client.joined();
  expect(client.messages[0]).toMatchObject({ missed: true, refused: ['figures'] });
  await publish('news', 1);
  await until('the event', () => client.payloads().length === 1);
  const { position } = client.messages.at(-1) as EventMessage;
  client.socket.send(JSON.stringify({ topics: ['orders'], after: position }));
  await until('the other topics', () => client.messages.length === 3);
  await publish('news', 2);
  await publish('orders', 3);
  await until('the next event', () => client.payloads().length === 2);
  expect(client.payloads()).toEqual([1, 3]);
  const back = await open({ topics: ['news', 'orders'], after: position });
  await back.joined();
  expect(back.payloads()).toEqual([2, 3]);
});

it('ends for who may not read, or no longer', async () => {
  expect(await (await open({ topics: ['figures'] })).closed).toMatchObject({
    code: 1008,
    reason: 'unauthorized',
  });
  expect(await (await open({ topics: ['unknown'] })).closed).toMatchObject({
    code: 1008,
    reason: 'not-found',
  });
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const client = await open({ topics: ['orders'] });
  await client.joined();
  mayRead = false;
  try {
    vi.advanceTimersByTime(15_000);
    expect(await client.closed).toMatchObject({ code: 1001 });
    expect(client.messages.at(-1)).toMatchObject({ refused: ['orders'] });
  } finally {
    mayRead = true;
  }
});

it.each([
  ['no JSON', 1008, ['x']],
  ['no topics', 1008, [{}]],
  ['topics of another form', 1008, [{ topics: [{}] }]],
  ['too many topics', 1008, [{ topics: Array.from({ length: 51 }, (_, n) => `t${n}`) }]],
  ['a long message', 1009, ['x'.repeat(8_193)]],
  ['a flood', 1008, Array(21).fill({ topics: ['news'] })],
])('is closed after %s: %i', async (_, code, messages) => {
  expect(await (await open(...messages)).closed).toMatchObject({ code });
});

it('is closed when its client no longer answers', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const client = await open({ topics: ['news'] });
  await client.joined();
  // A client that answers stays.
  vi.advanceTimersByTime(15_000);
  await publish('news', 'still there');
  await until('the event', () => client.payloads().length === 1);
  // Two beats at once: no answer can have come between them.
  vi.advanceTimersByTime(30_000);
  expect(await client.closed).toMatchObject({ code: 1006 });
});

it('closes with a reason when the process drains', async () => {
  const own = await start({ ENABLE_WEBSOCKETS: 'true' });
  const before = url;
  url = await own.listen();
  try {
    const client = await open({ topics: ['news'] });
    await client.joined();
    own.lifecycle.to('draining');
    expect(await client.closed).toMatchObject({ code: 1001 });
  } finally {
    url = before;
    await own[Symbol.asyncDispose]();
  }
});

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../../tests/support/until.ts';
import { Lifecycle } from '../health/lifecycle.ts';
import { type OpenPort, openPort } from '../process/port.ts';
import { connections } from './connections.ts';
import { answerBrokenConnection, problems } from './problems.ts';

/** More than the system takes into its own buffers, so that what a client does not read stays with us. */
const BIG = Buffer.alloc(24 * 2 ** 20, 'x');

let port: OpenPort;
let app: FastifyInstance;
let lifecycle: Lifecycle;
/** What /slow waits for. */
let gate: PromiseWithResolvers<string>;
const sockets = new Set<Socket>();

async function start(max = 10_000, trusts?: (address: string | undefined) => boolean) {
  port = await openPort({ hosts: ['127.0.0.1'], port: 0 }, () => false);
  const { server } = port;
  // As in production: Node's own 5 s would end what lingers before this plugin does.
  server.keepAliveTimeout = 65_000;
  lifecycle = new Lifecycle([]);
  app = Fastify({
    serverFactory: () => server,
    forceCloseConnections: true,
    bodyLimit: 8 * 2 ** 20,
    clientErrorHandler: answerBrokenConnection(),
  });
  const alwaysAnswered = new Set(['/live']);
  await app.register(connections, { server, max, alwaysAnswered, lifecycle, ...(trusts ? { trusts } : {}) });
  await app.register(problems);
  app.get('/live', () => 'alive');
  app.get('/', () => 'hello');
  gate = Promise.withResolvers();
  app.get('/slow', () => gate.promise);
  app.get('/big', (_request, reply) => reply.send(BIG));
  app.get('/events', (_request, reply) => {
    // An answer that says something every now and then is no slow reader.
    reply.send(
      Readable.from(
        (async function* () {
          for (let beat = 0; beat < 3; beat++) {
            yield `${beat}\n`;
            await sleep(5_500);
          }
        })(),
      ),
    );
  });
  app.post('/', async ({ body }) => `${JSON.stringify(body).length}`);
  const refuse = async (_request: unknown, reply: FastifyReply) => reply.code(401).send('no');
  app.post('/refused', { onRequest: refuse }, async () => 'never');
  app.post(
    '/late',
    { preParsing: async (_request, _reply, payload) => sleep(11_500, payload) },
    async () => 'kept',
  );
  await app.ready();
  port.handOver(app.routing);
}

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  port.server.closeAllConnections();
  await Promise.all([port.stopListening(), app.close()]);
});

interface Client {
  socket: Socket;
  /** Milliseconds from its opening to its end by the server; undefined while it is open. */
  endedAfter: number | undefined;
  openedAt: number;
  said: string;
}

async function open(text: string, options: { read?: boolean; from?: string } = {}): Promise<Client> {
  const socket = connect({ port: port.port, host: '127.0.0.1', localAddress: options.from });
  sockets.add(socket);
  await once(socket, 'connect');
  const openedAt = performance.now();
  const client: Client = { socket, endedAfter: undefined, openedAt, said: '' };
  socket.on('error', () => {}).on('close', () => (client.endedAfter = performance.now() - openedAt));
  if (options.read !== false) socket.on('data', (chunk) => (client.said += chunk.toString('latin1')));
  if (text) socket.write(text);
  return client;
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const post = (length: number, path = '/') =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

/** Sends a little every now and then, until it is cut off. */
async function drip(client: Client, bytes: string | (() => string), everyMs: number): Promise<void> {
  while (client.endedAfter === undefined) {
    await sleep(everyMs);
    if (client.socket.writable) client.socket.write(typeof bytes === 'string' ? bytes : bytes());
  }
}

describe('slow clients', () => {
  it('are closed, while honest clients are served, also over slow lines and during pauses of the server', async () => {
    await start();
    const silent = await open('');
    const headers = await open('GET / HTTP/1.1\r\nHost: a\r\n');
    const bodyStopped = await open(`${post(100_000)}{"a":"`);
    const bodyDrips = await open(`${post(100_000)}{"a":"`);
    await open(get('/big'), { read: false });
    const bodyRefused = await open(`${post(60_000, '/refused')}{"a":"`);
    const bodyForNobody = await open(`${get('/live').trim()}\r\nContent-Length: 60000\r\n\r\n{"a":"`);
    await open(get('/big').repeat(3), { read: false });
    // One long write that is read piece by piece, 128 KiB/s.
    const steady = await open(get('/big'), { read: false });
    const reader = setInterval(() => steady.socket.read(64 * 1_024), 500);
    void drip(headers, 'X-A: b\r\n', 300);
    void drip(bodyDrips, 'x'.repeat(300), 500);
    void drip(bodyRefused, 'x'.repeat(300), 500);

    // Little, but never under the rate of 1 KiB/s, on a busy machine neither: 4 KiB/s for 13 s.
    const honest = (async () => {
      const length = 52 * 1_024;
      const client = await open(post(length));
      const body = JSON.stringify('y'.repeat(length - 2));
      for (let at = 0; at < length; at += 1_024) {
        client.socket.write(body.slice(at, at + 1_024));
        await sleep(250);
      }
      return until('its answer', () => client.said.includes('\r\n\r\n') && client.said);
    })();
    // The handler does not take what has been sent: that is not the client's fault.
    const held = fetch(`http://127.0.0.1:${port.port}/late`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify('z'.repeat(4 * 2 ** 20)),
    });
    const events = fetch(`http://127.0.0.1:${port.port}/events`).then((answer) => answer.text());
    const answers: number[] = [];
    for (let i = 0; i < 50; i++) {
      answers.push((await fetch(`http://127.0.0.1:${port.port}/`)).status);
      await sleep(20);
    }
    expect(new Set(answers)).toEqual(new Set([200]));
    expect(await honest).toMatch(/^HTTP\/1.1 200 /);
    expect(await (await held).text()).toBe('kept');
    // A socket that nobody reads does not notice its end, so that these are seen from the other side.
    await until('the clients that do not read', () => app.connections.closed['slow-read'] === 2);
    clearInterval(reader);
    expect(steady.endedAfter).toBeUndefined();
    expect(steady.socket.bytesRead).toBeGreaterThan(2 ** 20);

    for (const [name, client] of Object.entries({ silent, headers })) {
      await until(name, () => client.endedAfter);
    }
    // These have been answered.
    for (const [name, client] of Object.entries({ bodyForNobody, bodyRefused })) {
      expect(await until(name, () => client.endedAfter), name).toBeGreaterThan(4_500);
      expect(client.said, name).toMatch(/^HTTP\/1.1 (200|401) /);
    }
    for (const [name, client] of Object.entries({ bodyStopped, bodyDrips })) {
      expect(await until(name, () => client.endedAfter), name).toBeGreaterThan(9_000);
    }
    expect(bodyStopped.said).toMatch(/^HTTP\/1.1 408 [\s\S]*"type":"\/problems\/timeout"/);
    expect(app.connections.closed).toEqual({
      'slow-body': 2,
      'slow-read': 2,
      lingering: 2,
      headers: 0,
      idle: 0,
      'no-room': 0,
    });
    expect(await events).toBe('0\n1\n2\n');
  });
});

describe('too many connections', () => {
  it('close the idlest first', async () => {
    await start(3);
    const used = await open(get('/'));
    const oldest = await open('');
    const newer = await open('');
    await until('the first answer', () => used.said.includes('hello'));
    await sleep(20);
    used.socket.write(get('/'));
    await until('the second', () => used.said.split('hello').length === 3);
    const newest = await open(get('/'));
    await until('the idlest to go', () => oldest.endedAfter);
    await until('an answer', () => newest.said.includes('hello'));
    expect([used, newer, newest].map((client) => client.endedAfter)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(newest.said).toContain('200 OK');
    expect(app.connections).toMatchObject({ open: 3, closed: { idle: 1 } });
  });

  it('leave room for probes; other requests get 503 with Retry-After', async () => {
    await start(2);
    // Two that are at work: neither idle nor stalled.
    const busy = [await open(get('/events')), await open(get('/events'))];
    await until('both to be at work', () => busy.every(({ said }) => said.includes('0\n')));
    const other = await open(get('/'));
    await until('its refusal', () => other.endedAfter);
    const probe = await open(get('/live'));
    await until('its answer', () => probe.said.includes('alive'));
    expect(probe.said).toMatch(/^HTTP\/1.1 200 [\s\S]*alive/);
    expect(other.said).toMatch(/^HTTP\/1.1 503 [\s\S]*retry-after: 1/i);
    expect(busy.map((client) => client.endedAfter)).toEqual([undefined, undefined]);
  });

  it('close those that only send the rest of a body after its answer', async () => {
    await start(2);
    const lingering = await Promise.all([1, 2].map(() => open(post(100_000, '/refused'))));
    for (const client of lingering) void drip(client, 'x'.repeat(500), 100);
    await until('the answers', () => lingering.every((client) => client.said.includes('401')));
    const newcomer = await open(get('/'));
    await until('the answers', () => newcomer.said !== '');
    expect(newcomer.said).toMatch(/^HTTP\/1.1 200 /);
    expect(app.connections.closed).toMatchObject({ idle: 1 });
  });

  it('from one address leave room for others, and are refused when all are busy', async () => {
    await start(64);
    const own = await Promise.all(Array.from({ length: 16 }, () => open(get('/events'))));
    await until('the answers', () => own.every((client) => client.said !== ''));
    // One after the other: each newcomer closes those that have not asked for anything yet.
    const ask = async (path: string, from = '127.0.0.1') => {
      const client = await open(get(path), { from });
      await until('the answers', () => client.said !== '');
      return client;
    };
    const another = await ask('/');
    const probe = await ask('/live');
    const other = await ask('/', '127.0.0.2');
    expect(another.said).toMatch(/^HTTP\/1.1 503 /);
    expect(probe.said).toMatch(/^HTTP\/1.1 200 /);
    expect(other.said).toMatch(/^HTTP\/1.1 200 /);
    expect(own.every((client) => client.endedAfter === undefined)).toBe(true);
  });

  it('from a proxy have no limit per address', async () => {
    await start(64, (address) => address === '127.0.0.1');
    const own = await Promise.all(Array.from({ length: 40 }, () => open(get('/events'))));
    await until('the answers', () => own.every((client) => client.said !== ''));
    expect(own.every((client) => client.said.startsWith('HTTP/1.1 200 '))).toBe(true);
  });

  it('close stalled ones', async () => {
    await start(2);
    const stalled = [await open(`${post(10)}{`), await open(`${post(10)}{`)];
    await sleep(3_200);
    const newcomer = await open(get('/'));
    await until('its answer', () => newcomer.said.includes('hello'));
    expect(newcomer.said).toMatch(/^HTTP\/1.1 200 /);
    expect(stalled.filter((client) => client.endedAfter !== undefined)).toHaveLength(1);
  });
});

describe('unfinished headers', () => {
  const chunked = `${post(0).replace('Content-Length: 0', 'Transfer-Encoding: chunked')}2\r\n{}\r\n0\r\n\r\n`;
  it.each([
    ['alone', ''],
    ['behind a request in the same packet', get('/')],
    ['behind several requests', get('/').repeat(3)],
    ['behind a body', `${post(2)}{}`],
    ['behind a body of unknown length', chunked],
  ])('are held up to 4 MiB: %s', async (_how, before) => {
    await start();
    const half = `GET / HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(15_800)}`;
    await Promise.all(Array.from({ length: 300 }, () => open(before + half)));
    await until('the oldest to go', () => app.connections.closed.headers > 0);
    // A tenth is too much; the others stay until their time is over.
    expect(app.connections.closed.headers).toBeLessThan(100);
  });

  it('do not include whole requests', async () => {
    await start();
    const long = `X-A: ${'a'.repeat(15_000)}\r\n\r\n`;
    const whole = get('/').replace('\r\n\r\n', `\r\n${long}`);
    const clients = await Promise.all(Array.from({ length: 600 }, () => open(whole)));
    await until('the answers', () => clients.every(({ said }) => said.includes('hello')));
    const sweeps = performance.now() + 2_500;
    await until('two rounds', () => performance.now() > sweeps);
    expect(app.connections.closed.headers).toBe(0);
  });
});

it('closes a kept-alive connection when its time is over, and none whose handler takes longer', async () => {
  await start();
  Object.assign(port.server, { keepAliveTimeout: 1_000, keepAliveTimeoutBuffer: 0 });
  const idle = await open(get('/'));
  const busy = await open(get('/'));
  await until('its answer', () => busy.said.includes('hello'));
  busy.socket.write(get('/slow'));
  await until('the end of the idle one', () => idle.endedAfter);
  await until('some time-outs more', () => performance.now() - busy.openedAt > 3_500);
  gate.resolve('at last');
  await until('the answer', () => busy.said.endsWith('at last'));
});

it('refuses more than 100 headers', async () => {
  await start();
  const lines = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: a\r\n`).join('');
  const fits = await open(`GET / HTTP/1.1\r\nHost: a\r\n${lines(99)}\r\n`);
  const many = await open(`GET / HTTP/1.1\r\nHost: a\r\n${lines(100)}\r\n`);
  const huge = await open(`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`);
  await until('the answers', () => [fits, many, huge].every(({ said }) => said.includes('\r\n\r\n')));
  expect(fits.said).toMatch(/^HTTP\/1.1 200 /);
  expect(many.said).toMatch(/^HTTP\/1.1 431 [\s\S]*problems\/headers-too-large/);
  expect(huge.said).toMatch(/^HTTP\/1.1 431 [\s\S]*problems\/headers-too-large/);
});

it('closes a connection with the answer that was under way when draining began', async () => {
  await start();
  const idle = await open(get('/'));
  await until('its answer', () => idle.said.includes('hello'));
  const client = await open(get('/slow'));
  await until('the next to be at work', () => app.connections.working);
  lifecycle.to('draining');
  gate.resolve('at last');
  await until('its end', () => client.endedAfter);
  expect(client.said).toMatch(/connection: close\r\n/i);
  expect(client.said).toMatch(/at last$/);
  // Idle ones are closed by drain.ts.
  expect(idle.endedAfter).toBeUndefined();
});

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../../tests/support/until.ts';
import { Lifecycle } from '../health/lifecycle.ts';
import { connections } from '../http/connections.ts';
import { draining } from '../http/draining.ts';
import { events } from '../http/event-stream.ts';
import { upgradePaths } from '../lib/upgrades.ts';
import { drain } from './drain.ts';
import { type OpenPort, openPort } from './port.ts';

const GET = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const UPGRADE = 'GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
/** SHUTDOWN_TIMEOUT_MS is 8 s, after which the process ends with 1. */
const IN_TIME_MS = 7_500;

/** More than the system's buffers take of an answer. */
const LARGE = Buffer.alloc(24 * 2 ** 20, 'x');

let port: OpenPort;
let app: FastifyInstance;
let lifecycle: Lifecycle;
const clients: Socket[] = [];
/** What a WebSocket library would hold. */
const upgraded: Duplex[] = [];
/** Bytes that the client of `/much` has left unread. */
let unread = () => 0;

beforeEach(async () => {
  port = await openPort({ hosts: ['127.0.0.1'], port: 0 }, () => false);
  lifecycle = new Lifecycle([]);
  lifecycle.to('ready');
  app = Fastify({ serverFactory: () => port.server });
  await app.register(connections, {
    server: port.server,
    max: 1_000,
    alwaysAnswered: new Set<string>(),
    lifecycle,
  });
  await app.register(draining, { lifecycle });
  const much = Buffer.alloc(512 * 1_024, 'x').toString();
  app.get('/large', (_request, reply) => reply.send(LARGE));
  app.get('/events', (_request, reply) => {
    const stream = events(reply);
    stream.send({ event: 'hello', data: 'a\nb' });
  });
  app.get('/much', (_request, reply) => {
    const stream = events(reply);
    unread = () => reply.raw.writableLength;
    // More than the system takes, and less than a client may leave unread.
    const timer = setInterval(() => {
      if (reply.raw.writableLength === 0) stream.send({ data: much });
    }, 5);
    stream.closed.addEventListener('abort', () => clearInterval(timer));
  });
  await app.ready();
  port.handOver(app.routing);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const socket of upgraded.splice(0)) socket.destroy();
  port.server.closeAllConnections();
  await port.stopListening();
});

function upgradeRaw(): void {
  upgradePaths.add('/socket');
  port.server.on('upgrade', (_request, socket) => {
    upgraded.push(socket);
    socket.on('error', () => {});
    socket.write(SWITCHING);
  });
}

/** Sends a request, keeps its side of the connection open whatever happens, and keeps what comes. */
async function open(request: string): Promise<{ socket: Socket; heard: () => string; ended: () => boolean }> {
  const socket = connect({ port: port.port, host: '127.0.0.1', allowHalfOpen: true });
  clients.push(socket);
  socket.on('error', () => {});
  let heard = '';
  let ended = false;
  socket.on('data', (chunk) => (heard += chunk)).on('end', () => (ended = true));
  socket.write(request);
  await until('the head of the answer', () => heard.includes('\r\n\r\n'));
  return { socket, heard: () => heard, ended: () => ended };
}

/** Drains like the process. @returns How long it took, in milliseconds. */
async function drained(): Promise<number> {
  const began = performance.now();
  lifecycle.to('draining');
  port.closeAfterAnswers();
  await drain(port, { app }, undefined, 0);
  return performance.now() - began;
}

it('ends a stream of events', async () => {
  const client = await open(GET('/events'));
  await until('the event', () => client.heard().includes('event: hello\ndata: "a\\nb"\n\n'));
  expect(await drained()).toBeLessThan(IN_TIME_MS);
  await until('its end', client.ended);
});

it('ends one whose client does not read', async () => {
  const client = await open(GET('/much'));
  client.socket.pause();
  await until('what is unread', unread);
  expect(await drained()).toBeLessThan(IN_TIME_MS);
});

it('ends one that is opened during the drain', async () => {
  // Holds the port open for a moment.
  await open(GET('/events'));
  lifecycle.to('draining');
  port.closeAfterAnswers();
  const late = await open(GET('/events'));
  expect(late.heard()).toMatch(/connection: close/i);
  await until('the event', () => late.heard().includes('event: hello'));
  await drain(port, { app }, undefined, 0);
  await until('its end', late.ended);
});

it('lets the owner of an upgraded connection send a last message', async () => {
  upgradeRaw();
  app.draining.addEventListener('abort', () => {
    for (const socket of upgraded) socket.end('bye');
  });
  const client = await open(UPGRADE);
  client.socket.once('end', () => client.socket.end());
  expect(await drained()).toBeLessThan(IN_TIME_MS);
  await until('the last message', () => client.heard().endsWith('\r\n\r\nbye'));
});

it.each([
  ['reads and stays', () => {}],
  ['does not read', (socket: Socket) => socket.pause()],
])('ends an upgraded connection whose client %s', async (_, behave) => {
  upgradeRaw();
  const client = await open(UPGRADE);
  behave(client.socket);
  const socket = upgraded[0] as Duplex;
  // A library goes on writing, and must meet no error that ends the process.
  const writing = setInterval(() => socket.write(Buffer.alloc(256 * 1_024)), 5);
  socket.removeAllListeners('error');
  try {
    expect(await drained()).toBeLessThan(IN_TIME_MS);
  } finally {
    clearInterval(writing);
  }
});

it('lets a client that reads slowly have all of its answer', async () => {
  const client = await open(GET('/large'));
  client.socket.pause();
  const done = drained();
  // The handler has long ended, and connections that are idle are closed all the time.
  await sleep(500);
  client.socket.resume();
  await done;
  await until('its end', client.ended);
  expect(client.heard().length).toBeGreaterThan(LARGE.length);
});

it('upgrades nothing without a listener for it', async () => {
  const client = await open(UPGRADE.replace('/socket', '/nowhere'));
  expect(client.heard()).toMatch(/^HTTP\/1\.1 404 /);
  await once(client.socket.end(), 'close');
});

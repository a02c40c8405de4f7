import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import Fastify, { type FastifyBaseLogger } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { Lifecycle } from '../health/lifecycle.ts';
import { accessLog } from './access-log.ts';
import { connections } from './connections.ts';

const lines: Record<string, unknown>[] = [];
const server = createServer();
const app = Fastify({
  serverFactory: () => server,
  loggerInstance: pino(
    { level: 'debug' },
    { write: (line) => lines.push(JSON.parse(line)) },
  ) as FastifyBaseLogger,
  disableRequestLogging: true,
});
let arrived = () => {};

beforeAll(async () => {
  const lifecycle = new Lifecycle([]);
  await app.register(connections, { server, max: 10, alwaysAnswered: new Set<string>(), lifecycle });
  await app.register(accessLog);
  app.get('/quick', async () => 'here');
  app.get('/never', () => {
    arrived();
    return new Promise(() => {});
  });
  await app.ready();
  server.on('request', app.routing);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  server.closeAllConnections();
  await app.close();
});

const open = () => connect((server.address() as AddressInfo).port, '127.0.0.1');
const gone = () => lines.filter(({ msg }) => msg === 'the client disconnected');

it('logs a client that disconnected before its answer once, without its query', async () => {
  const socket = open();
  const arrival = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  socket.write('GET /never?token=a-secret HTTP/1.1\r\nHost: a\r\n\r\n');
  await arrival;
  socket.destroy();
  await vi.waitFor(() => expect(gone()).toHaveLength(1), { timeout: 60_000, interval: 20 });
  expect(gone()[0]).toMatchObject({ path: '/never', requestId: expect.any(String) });
  expect(JSON.stringify(lines)).not.toContain('a-secret');
});

it('logs nothing of a client that disconnected after its answer', async () => {
  const before = gone().length;
  const socket = open();
  socket.write('GET /quick HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  await once(socket, 'close');
  await vi.waitFor(() => expect(app.connections.open).toBe(0), { timeout: 60_000, interval: 20 });
  expect(gone()).toHaveLength(before);
  expect(lines.at(-1)).toMatchObject({ msg: 'request', path: '/quick', status: 200 });
});

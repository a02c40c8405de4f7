/** Clients that hold what a server has least of: memory, descriptors, connections. */
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createDatabase, query } from '../../tests/support/postgres.ts';
import { headerLines } from '../../tests/support/raw-http.ts';
import { type SpawnedServer, startServer } from '../../tests/support/server.ts';
import { until } from '../../tests/support/until.ts';
import { user } from '../../tests/support/user.ts';
import { ms, record, within } from './support/suite.ts';

const KIB = 1_024;
const MIB = KIB * KIB;
/** What a burst may add to resident memory, in MiB, and how soon it is to be gone. */
const MAX_GROWTH_MIB = 64;
const RECOVERY_MS = 15_000;

interface Attacked extends SpawnedServer {
  database: string;
  /** They end with it. */
  clients: Set<Socket>;
}

/** Unlike `once` of several events it is not ended by a reset. */
const firstOf = (socket: Socket, ...events: ('connect' | 'end' | 'close')[]) =>
  new Promise<void>((resolve) => {
    for (const event of events) socket.once(event, () => resolve());
  });

/** A client that never closes by itself, at an address of its own: Linux has all of 127.0.0.0/8. */
async function open(server: Attacked, host: number, text: string): Promise<Socket> {
  const socket = connect({
    port: server.port,
    host: '127.0.0.1',
    localAddress: `127.0.0.${host}`,
    allowHalfOpen: true,
  });
  server.clients.add(socket);
  socket.on('error', () => {});
  await firstOf(socket, 'connect', 'close');
  socket.write(text, 'latin1');
  return socket;
}

/** Opens many, a hundred at a time. */
async function openMany(count: number, one: (index: number) => Promise<Socket>): Promise<void> {
  for (let at = 0; at < count; at += 100) {
    await Promise.all(Array.from({ length: Math.min(100, count - at) }, (_, index) => one(at + index)));
  }
}

const asUser = headerLines(user.headers);
const post = (length: number) =>
  `POST /api/notes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n${asUser}\r\n`;

const filesOf = (server: SpawnedServer) => readdirSync(`/proc/${server.child.pid}/fd`).length;
function residentMib(server: SpawnedServer): number {
  const [, kib] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8')) ?? [];
  return Number(kib) / KIB;
}

async function startReady(env: Record<string, string> = {}): Promise<Attacked> {
  const { url } = await createDatabase();
  const server = await startServer({ DATABASE_URL: url, ...env });
  await server.ready();
  // What the first requests load and compile is no growth.
  for (let i = 0; i < 200; i++)
    await (await fetch(`${server.url}/api/notes`, { headers: user.headers })).arrayBuffer();
  const clients = new Set<Socket>();
  server.child.once('exit', () => {
    for (const socket of clients) socket.destroy();
  });
  return Object.assign(server, { database: url, clients });
}

/** @returns How far resident memory rose above what it was, and how far it still was when the time to recover was over. */
async function growth(server: SpawnedServer, attack: () => Promise<void>, holdMs: number) {
  const before = residentMib(server);
  let peak = 0;
  const watch = setInterval(() => (peak = Math.max(peak, residentMib(server) - before)), 20);
  await attack();
  await sleep(holdMs);
  clearInterval(watch);
  await sleep(RECOVERY_MS - holdMs);
  return { peak, left: residentMib(server) - before };
}

// Attackers mostly wait: several at once leave the machine idle.
describe.concurrent('memory', () => {
  it.each([
    ['the default body limit', {}],
    ['a body limit of 1 MiB', { BODY_LIMIT_BYTES: `${MIB}` }],
  ])('unfinished bodies from five addresses, with %s', async (what, env) => {
    await using server = await startReady(env);
    const { peak, left } = await growth(
      server,
      () =>
        openMany(300, async (index) => {
          const socket = await open(server, 2 + (index % 5), post(900 * KIB));
          socket.write('x'.repeat(900 * KIB - 1));
          return socket.resume();
        }),
      8_000,
    );
    const { checks } = (await (await fetch(`${server.url}/health`)).json()) as { checks: object };
    record('bodies', `${what}: +${peak.toFixed(0)} MiB, after ${ms(RECOVERY_MS)} +${left.toFixed(0)} MiB`);
    expect(checks).toMatchObject({ memory: { status: 'passing' } });
    expect(peak).toBeLessThan(MAX_GROWTH_MIB);
    expect(left).toBeLessThan(MAX_GROWTH_MIB);
  });

  it.each([
    ['one address', 1],
    ['five addresses', 5],
  ])('half headers from %s', async (what, hosts) => {
    await using server = await startReady();
    const header = `GET / HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(15 * KIB)}`;
    const { peak, left } = await growth(
      server,
      () => openMany(8_000, (index) => open(server, 2 + (index % hosts), header)),
      4_000,
    );
    record('headers', `${what}: +${peak.toFixed(0)} MiB, after ${ms(RECOVERY_MS)} +${left.toFixed(0)} MiB`);
    expect(peak).toBeLessThan(MAX_GROWTH_MIB);
    expect(left).toBeLessThan(MAX_GROWTH_MIB);
  });
});

describe.concurrent('refused clients that neither read nor close', () => {
  it('hold no descriptor', async () => {
    await using server = await startReady();
    const before = filesOf(server);
    await openMany(40, async (index) =>
      (await open(server, 2, index % 2 ? 'nonsense\r\n\r\n' : 'GET / HTTP/1.1\r\nHost: a\r\n')).pause(),
    );
    await sleep(13_000);
    const held = filesOf(server) - before;
    record('refused', `${held} descriptors held by 40 after 13 s`);
    expect(held).toBeLessThanOrEqual(0);
  });

  it.each([
    ['a refused client', 'nonsense\r\n\r\n', 1_000],
    ['a body that stays unfinished', `${post(10)}{`, 6_000],
    ['headers that stay unfinished', 'GET / HTTP/1.1\r\nHost: a\r\n', 6_000],
  ])('keep no server from ending: %s', async (what, text, limitMs) => {
    await using server = await startReady();
    (await open(server, 2, text)).pause();
    await sleep(500);
    const began = performance.now();
    const code = await server.end();
    const tookMs = performance.now() - began;
    record('refused', `with ${what} exit ${code} ${ms(tookMs)} after SIGTERM`);
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(within(limitMs));
  });

  it('write nothing once they are told that they were too late', async () => {
    await using server = await startReady();
    const body = '{"title":"too late","body":""}';
    const head = post(body.length);
    const socket = await open(server, 2, head.slice(0, 60));
    let said = '';
    socket.on('data', (chunk) => (said += chunk));
    await until('the answer', () => said.startsWith('HTTP/1.1 408'));
    socket.write(head.slice(60) + body);
    await sleep(1_000);
    const { rows } = await query(server.database, 'select count(*)::int as n from notes');
    expect(rows[0].n).toBe(0);
  });
});

describe.concurrent('one address that holds every connection', () => {
  it.each([
    ['by bodies after their answer', `GET /live HTTP/1.1\r\nHost: a\r\nContent-Length: ${100 * KIB}\r\n\r\n`],
    ['by bodies', post(100_000)],
    ['by idle connections', 'GET /live HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('%s', async (what, first) => {
    await using server = await startReady({ MAX_CONNECTIONS: '200' });
    await openMany(400, async () => {
      const socket = await open(server, 2, first);
      if (what.startsWith('by bodies')) {
        const drip = setInterval(() => socket.write('x'.repeat(110)), 100);
        socket.on('close', () => clearInterval(drip));
      }
      return socket.resume();
    });
    await sleep(1_000);
    let served = 0;
    let asked = 0;
    const began = performance.now();
    while (performance.now() - began < 10_000) {
      asked++;
      const visitor = await open(
        server,
        9,
        `GET /api/notes HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${asUser}\r\n`,
      );
      let said = '';
      visitor.on('data', (chunk) => (said += chunk));
      await Promise.race([firstOf(visitor, 'end', 'close'), sleep(1_000)]);
      if (said.startsWith('HTTP/1.1 200')) served++;
      visitor.destroy();
      await sleep(50);
    }
    record('crowd', `${what}: ${served} of ${asked} visitors served within 10 s`);
    expect(served / asked).toBeGreaterThanOrEqual(0.9);
  });
});

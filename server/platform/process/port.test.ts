import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { openRaw, openSeen } from '../../../tests/support/raw-http.ts';
import { freePort } from '../../../tests/support/server.ts';
import { until } from '../../../tests/support/until.ts';
import { type OpenPort, openPort, type PortOptions } from './port.ts';

const GET = 'GET /thing HTTP/1.1\r\nHost: x\r\n\r\n';
const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);
const BOTH = hasIpv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1'];

const open: OpenPort[] = [];
/** How many requests have arrived that must wait. */
let waiting = 0;
async function start(hosts = ['127.0.0.1'], port = 0, options: PortOptions = {}): Promise<OpenPort> {
  const opened = await openPort(
    { hosts, port },
    (request, response) => {
      if (request.url !== '/live') {
        waiting += 1;
        return false;
      }
      response.end('alive');
      return true;
    },
    options,
  );
  open.push(opened);
  return opened;
}
afterEach(async () => {
  for (const one of open.splice(0)) {
    one.server.closeAllConnections();
    await one.stopListening();
  }
});

const connectionsOf = ({ server }: OpenPort) =>
  new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));

async function taken(host: string, wanted = 0): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer().listen(wanted, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}

describe('a port', () => {
  it('answers the probes, and keeps the rest for the application, in order', async () => {
    const port = await start();
    const address = `http://127.0.0.1:${port.port}`;
    expect(await (await fetch(`${address}/live`)).text()).toBe('alive');
    const waiting = ['/a', '/b'].map(async (path) => (await fetch(address + path)).text());
    await using left = await openSeen(address, GET);
    const connections = await connectionsOf(port);
    await left[Symbol.asyncDispose]();
    await until('it to have gone', async () => (await connectionsOf(port)) < connections);
    const seen: string[] = [];
    port.handOver((request, response) => {
      seen.push(request.url ?? '');
      response.end(`answer to ${request.url}`);
    });
    expect(await Promise.all(waiting)).toEqual(['answer to /a', 'answer to /b']);
    expect(await (await fetch(`${address}/live`)).text()).toBe('answer to /live');
    expect(seen.sort()).toEqual(['/a', '/b', '/live']);
  });

  it('answers a request that came long before the process could read it', async () => {
    const port = await start();
    await using connection = await openRaw(`http://127.0.0.1:${port.port}`);
    await until('the server to know of it', async () => (await connectionsOf(port)) === 1);
    connection.socket.write(GET.replace('/thing', '/live'));
    // As loading does on a slow machine.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 7_000);
    expect((await connection.answer()).status).toBe(200);
  });

  it('refuses with Retry-After more than it can keep', async () => {
    const port = await start();
    const kept = 2_000;
    waiting = 0;
    // Pipelined requests are parsed one after the other, so many connections it is.
    const others = await Promise.all(
      Array.from({ length: kept }, async () => {
        const one = await openRaw(`http://127.0.0.1:${port.port}`);
        one.socket.write(GET);
        return one;
      }),
    );
    await until('all of them to wait', () => waiting === kept);
    await using connection = await openRaw(`http://127.0.0.1:${port.port}`);
    connection.socket.write(GET);
    const answer = await connection.answer();
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    for (const { socket } of others) socket.destroy();
  });

  it('keeps no more bodies than fit its memory, and none of unknown length', async () => {
    const port = await start();
    waiting = 0;
    const send = async (header: string) => {
      const one = await openRaw(`http://127.0.0.1:${port.port}`);
      one.socket.write(`POST /thing HTTP/1.1\r\nHost: x\r\n${header}\r\n\r\n`);
      return one;
    };
    // Of each at most 128 KiB are in memory before it is read.
    const fitting = (16 * 2 ** 20) / (128 * 1_024);
    for (let i = 0; i < fitting; i++) await send('Content-Length: 1000000000');
    await expect.poll(() => waiting).toBe(fitting);
    for (const header of ['Content-Length: 1', 'Transfer-Encoding: chunked']) {
      await using refused = await send(header);
      expect((await refused.answer()).status).toBe(503);
    }
  });

  it.runIf(hasIpv6)('is one server on both loopback families', async () => {
    const port = await start(BOTH);
    port.handOver((_request, response) => response.end('same'));
    for (const host of ['127.0.0.1', '[::1]']) {
      expect(await (await fetch(`http://${host}:${port.port}/`)).text()).toBe('same');
    }
    const stopped = port.stopListening();
    port.server.closeIdleConnections();
    await stopped;
    await expect(fetch(`http://[::1]:${port.port}/`)).rejects.toThrow();
  });

  it('is the next free one if it may move, on whichever family it is in use', async () => {
    for (const host of BOTH) {
      await using other = await taken(host);
      const port = await start(BOTH, other.port, { mayMove: true });
      expect(port.insteadOf).toBe(other.port);
      expect(port.port).toBeGreaterThan(other.port);
      expect(port.port).toBeLessThanOrEqual(other.port + 20);
    }
  });

  it('in use that may not move is an error with a remedy', async () => {
    await using other = await taken('127.0.0.1');
    await expect(start(['127.0.0.1'], other.port)).rejects.toThrow(
      `Port ${other.port} is in use (127.0.0.1:${other.port}). Stop what uses it, or set PORT to another one.`,
    );
  });

  it.runIf(hasIpv6)('in use on the second address leaves none open', async () => {
    await using other = await taken('::1', await freePort());
    await expect(start(BOTH, other.port)).rejects.toThrow('is in use');
    await using _free = await start(['127.0.0.1'], other.port).then(() => taken('127.0.0.1'));
  });

  it('on an address that is not ours is an error with a remedy', async () => {
    // 192.0.2.0/24 is for documentation: no machine has it (RFC 5737).
    await expect(start(['192.0.2.1'], await freePort())).rejects.toThrow(/Set HOST to one it has/);
  });

  it.runIf(process.getuid?.() !== 0)('below 1024 is an error with a remedy', async () => {
    await expect(start(['127.0.0.1'], 80)).rejects.toThrow(/Set PORT to one above 1023/);
  });
});

it('an accept error is reported once in ten seconds, and ends nothing', async () => {
  const told: Error[] = [];
  const port = await start(['127.0.0.1'], 0, { onAcceptError: (error) => told.push(error) });
  for (let n = 0; n < 3; n++) port.server.emit('error', new Error('accept EMFILE'));
  expect(told.map(({ message }) => message)).toEqual(['accept EMFILE']);
  expect((await fetch(`http://127.0.0.1:${port.port}/live`)).status).toBe(200);
});

it('the last answer of a connection has Connection: close', async () => {
  const port = await start();
  port.handOver((request, response) => response.writeHead(200, ['x-path', request.url ?? '']).end('later'));
  const headersOf = async (path: string) => (await fetch(`http://127.0.0.1:${port.port}${path}`)).headers;
  expect((await headersOf('/thing')).get('connection')).toBe('keep-alive');
  port.closeAfterAnswers();
  expect(Object.fromEntries(await headersOf('/thing'))).toMatchObject({
    'x-path': '/thing',
    connection: 'close',
  });
});

/** The sample as a client sees it while its server starts, loses its database, or drains. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createDatabase, query } from '../../../tests/support/postgres.ts';
import { headerLines, openSeen } from '../../../tests/support/raw-http.ts';
import { freePort, startServer } from '../../../tests/support/server.ts';
import { TcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { until } from '../../../tests/support/until.ts';
import { user } from '../../../tests/support/user.ts';

const READ: RequestInit = { headers: user.headers };
const create = (title: string): RequestInit => ({
  method: 'POST',
  headers: { ...user.headers, 'content-type': 'application/json' },
  body: JSON.stringify({ title }),
});

async function behindProxy() {
  const database = await createDatabase();
  const url = new URL(database.url);
  const proxy = await TcpProxy.start({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  return { database, proxy, url: url.href };
}

async function timed(url: string, init = READ) {
  const began = performance.now();
  const answer = await fetch(url, init);
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, ms: performance.now() - began };
}

/** Fetches as soon as the port is open. */
async function whenOpen(url: string, init = READ): Promise<Response> {
  for (;;) {
    try {
      return await fetch(url, init);
    } catch (error) {
      if ((error as { cause?: { code?: string } }).cause?.code !== 'ECONNREFUSED') throw error;
      await sleep(5);
    }
  }
}

describe.concurrent('while the server starts', () => {
  it('200 requests sent the moment the port opens are answered, though the database comes 2 s later', async () => {
    const { database, proxy, url } = await behindProxy();
    await proxy.refuse();
    const port = await freePort();
    const address = `http://127.0.0.1:${port}/api/notes`;
    const answers = Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        n % 2 ? whenOpen(address, create(`early ${n}`)) : whenOpen(`${address}?limit=1`),
      ),
    );
    // A busy machine may take longer than they would be held, or wait for a connection.
    await using server = await startServer({
      DATABASE_URL: url,
      PORT: String(port),
      STARTUP_HOLD_MS: '120000',
      REQUEST_TIMEOUT_MS: '120000',
      DB_CONNECT_TIMEOUT_MS: '60000',
    });
    await server.open();
    await sleep(2_000);
    await proxy.pass();
    const statuses = (await answers).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(100);
    expect(statuses.filter((status) => status === 201)).toHaveLength(100);
    expect((await query(database.url, 'select count(*)::int as n from notes')).rows).toEqual([{ n: 100 }]);
    await proxy.stop();
  });

  it('a request is held for STARTUP_HOLD_MS, then refused with when to come back', async () => {
    await using server = await startServer({
      DATABASE_URL: `postgres://u:p@127.0.0.1:${await freePort()}/d`,
      STARTUP_HOLD_MS: '10000',
    });
    await server.open();
    let refused = false;
    const held = timed(`${server.url}/api/notes`).finally(() => {
      refused = true;
    });
    // What needs no database is not held.
    expect((await fetch(`${server.url}/api/status`)).status).toBe(200);
    expect(refused).toBe(false);
    const answer = await held;
    expect(answer.status).toBe(503);
    expect(answer.ms).toBeGreaterThan(9_900);
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d?$/);
    expect(JSON.parse(answer.text)).toMatchObject({ type: '/problems/unavailable', instance: '/api/notes' });
  });

  it('a request that is held when it drains gets an answer', async () => {
    await using server = await startServer({
      DATABASE_URL: `postgres://u:p@127.0.0.1:${await freePort()}/d`,
    });
    await server.open();
    await using held = await openSeen(
      server.url,
      `GET /api/notes HTTP/1.1\r\nHost: x\r\n${headerLines(user.headers)}\r\n`,
    );
    expect(await server.end()).toBe(0);
    expect((await held.answer()).status).toBe(503);
  });
});

describe.concurrent('while the database is lost', () => {
  it.each([
    ['refuses', (proxy: TcpProxy) => proxy.refuse()],
    ['swallows', (proxy: TcpProxy) => proxy.swallow()],
  ])('because it %s, requests are refused, and answered after its return', async (_, lose) => {
    const { proxy, url } = await behindProxy();
    await using server = await startServer({
      DATABASE_URL: url,
      DB_CONNECT_TIMEOUT_MS: '5000',
      DB_STATEMENT_TIMEOUT_MS: '5000',
    });
    await server.ready();
    const address = `${server.url}/api/notes`;
    expect((await fetch(address, create('before'))).status).toBe(201);
    await Promise.all(Array.from({ length: 20 }, () => fetch(address, READ)));

    await lose(proxy);
    const refused = await Promise.all(Array.from({ length: 50 }, () => timed(address)));
    for (const { status, headers, text } of refused) {
      expect(status).toBe(503);
      expect(headers.get('content-type')).toContain('application/problem+json');
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(text).not.toMatch(/127\.0\.0\.1|ECONN|select/i);
    }
    expect((await timed(address, create('meanwhile'))).status).toBe(503);
    expect(server.log().filter(({ level }) => level === 'error')).toEqual([]);

    await proxy.pass();
    await until('its return to be seen', async () => (await fetch(address, READ)).status === 200);
    const { items } = (await (await fetch(address, READ)).json()) as { items: { title: string }[] };
    expect(items.map(({ title }) => title)).toEqual(['before']);
    await proxy.stop();
  });

  it('for the time of a cut, no request hangs or fails in any other way, and the next ones find new connections', async () => {
    const { proxy, url } = await behindProxy();
    await using server = await startServer({ DATABASE_URL: url });
    await server.ready();
    const address = `${server.url}/api/notes`;
    const crowd = () => Promise.all(Array.from({ length: 40 }, () => timed(address)));
    await crowd();
    const during = crowd();
    proxy.cut();
    for (const { status } of await during) expect([200, 503]).toContain(status);
    await until('all to be served', async () => (await crowd()).every(({ status }) => status === 200));
    await proxy.stop();
  });
});

describe.concurrent('when the server drains', () => {
  const body = JSON.stringify({ title: 'a slow upload' });
  const headers = {
    ...user.headers,
    'Content-Type': 'application/json',
    'Content-Length': String(body.length),
  };
  const head = `POST /api/notes HTTP/1.1\r\nHost: x\r\n${headerLines(headers)}\r\n`;
  const upload = (url: string) => openSeen(url, head + body.slice(0, 5));

  it('a request in flight is done and answered, with Connection: close, and the exit code is 0', async () => {
    const database = await createDatabase();
    await using server = await startServer({ DATABASE_URL: database.url });
    await server.ready();
    await using connection = await upload(server.url);
    server.child.kill('SIGTERM');
    await until('the port to close', () =>
      fetch(`${server.url}/live`).then(
        () => false,
        () => true,
      ),
    );
    connection.socket.write(body.slice(5));
    const answer = await connection.answer();
    expect([answer.status, answer.headers.get('connection')]).toEqual([201, 'close']);
    expect(await server.ended()).toBe(0);
    expect((await query(database.url, 'select title from notes')).rows).toEqual([{ title: 'a slow upload' }]);
  });

  it('during the delay new requests are still answered', async () => {
    const database = await createDatabase();
    await using server = await startServer({
      DATABASE_URL: database.url,
      DRAIN_DELAY_MS: '8000',
      SHUTDOWN_TIMEOUT_MS: '30000',
    });
    await server.ready();
    server.child.kill('SIGTERM');
    await until('/ready to turn', async () => (await fetch(`${server.url}/ready`)).status === 503);
    const answer = await timed(`${server.url}/api/notes`, create('late'));
    expect([answer.status, answer.headers.get('connection')]).toEqual([201, 'close']);
    expect(await server.ended()).toBe(0);
  });

  it('one that never ends is given up when SHUTDOWN_TIMEOUT_MS has passed: exit code 1', async () => {
    const database = await createDatabase();
    await using server = await startServer({ DATABASE_URL: database.url, SHUTDOWN_TIMEOUT_MS: '600' });
    await server.ready();
    await using _stuck = await upload(server.url);
    expect(await server.end()).toBe(1);
  });
});

import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from './support/postgres.ts';
import { sendRaw } from './support/raw-http.ts';
import { freePort, type SpawnedServer, startServer } from './support/server.ts';
import { until } from './support/until.ts';

const KEY = 'c2NyYXBlcnMtYW5kLW9wZXJhdG9ycy1oYXZlLWl0LTQ3MTE';
const operator = { authorization: `Bearer ${KEY}` };
const UNREACHABLE = 'postgres://u:p@127.0.0.1:1/d';

const textOf = async (url: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(url, { headers });
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
};

let database: TestDatabase;
let server: SpawnedServer;
let metricsPort: number;
beforeAll(async () => {
  database = await createDatabase();
  metricsPort = await freePort();
  const env = { DATABASE_URL: database.url, INTERNAL_API_KEY: KEY, METRICS_PORT: String(metricsPort) };
  server = await startServer(env);
  await server.ready();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

describe('METRICS_PORT', () => {
  test('answers the probes at once and scrapers without a key, and nothing else', async () => {
    const port = await freePort();
    await using away = await startServer({ DATABASE_URL: UNREACHABLE, METRICS_PORT: String(port) });
    const url = `http://127.0.0.1:${port}`;
    await away.open();
    expect((await fetch(`${url}/live`)).status).toBe(200);
    expect((await fetch(`${url}/ready`)).status).toBe(503);
    expect((await fetch(`${url}/health`)).status).toBe(503);
    expect((await fetch(`${url}/startup`)).status).toBe(503);
    // Asked while the application is being loaded, it waits for that, but no longer than a scraper does.
    await until('the application', () =>
      textOf(`${url}/metrics`).then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    const { status, type, text } = await textOf(`${url}/metrics`);
    expect({ status, type }).toEqual({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
    expect(text).toContain('\napp_ready 0\n');
    expect(text).toMatch(/app_state\{state="(starting|migrating)"\} 1/);
    for (const path of ['/', '/api/status', '/api/things', '/metrics/x', '/other']) {
      expect((await fetch(url + path)).status, path).toBe(404);
    }
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(404);
    const head = await fetch(`${url}/metrics`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(await away.end()).toBe(0);
  });

  test('answers one request a connection', async () => {
    const url = `http://127.0.0.1:${metricsPort}`;
    for (const path of ['/live', '/metrics', '/other']) {
      const answer = await sendRaw(url, [`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`]);
      expect(answer.headers.get('connection'), path).toBe('close');
    }
    let received = '';
    const many = connect(metricsPort, '127.0.0.1').on('error', () => {});
    many.on('data', (chunk) => (received += chunk));
    many.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(20));
    await until('the end of its connection', () => many.destroyed);
    expect(received.split('HTTP/1.1 200').length - 1).toBeLessThanOrEqual(1);
  });

  test.runIf(process.platform === 'linux')('outlives clients that ask often and read nothing', async () => {
    const port = await freePort();
    const env = { DATABASE_URL: database.url, METRICS_PORT: String(port) };
    await using crowded = await startServer(env, { flags: ['--max-old-space-size=96'] });
    await crowded.ready();
    const url = `http://127.0.0.1:${port}`;
    await textOf(`${url}/metrics`);
    const files = () => readdirSync(`/proc/${crowded.child.pid}/fd`).length;
    const before = files();
    using clients = new DisposableStack();
    const open = async (text: string) => {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      clients.defer(() => void socket.destroy());
      await once(socket, 'connect');
      socket.write(text);
    };
    const request = 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n';
    for (let n = 0; n < 6; n++) await open(request.repeat((383 * 1_024) / request.length));
    expect((await textOf(`${url}/metrics`)).status).toBe(200);
    for (let n = 0; n < 80; n++) await open(n % 2 ? '' : request.slice(0, 20));
    expect((await fetch(`${url}/live`)).status).toBe(200);
    expect(files() - before).toBeLessThan(60);
    await until('all of them to be let go', () => files() <= before + 2);
    expect((await fetch(`${url}/live`)).status).toBe(200);
    expect(await crowded.end()).toBe(0);
  });

  // Other systems have to be told first that all of 127/8 is theirs.
  test.runIf(process.platform === 'linux')('is open on METRICS_HOST alone', async () => {
    const port = String(await freePort());
    const env = { DATABASE_URL: UNREACHABLE, HOST: '0.0.0.0', METRICS_PORT: port, METRICS_HOST: '127.0.0.2' };
    await using apart = await startServer(env);
    await apart.open();
    expect((await fetch(`http://127.0.0.2:${port}/live`)).status).toBe(200);
    await expect(fetch(`http://127.0.0.1:${port}/live`)).rejects.toThrow();
    await using wrong = await startServer({ ...env, METRICS_HOST: '192.0.2.1' });
    expect(await wrong.ended()).toBe(1);
    expect(wrong.output()).toContain('no address 192.0.2.1. Set METRICS_HOST to one it has');
  });

  test('names itself when it is taken, and is refused where it is PORT', async () => {
    await using taken = await startServer({ DATABASE_URL: UNREACHABLE, METRICS_PORT: String(server.port) });
    expect(await taken.ended()).toBe(1);
    expect(taken.output()).toMatch(/Port \d+ is in use .* set METRICS_PORT to another one/);
    const port = String(await freePort());
    await using same = await startServer({ DATABASE_URL: UNREACHABLE, PORT: port, METRICS_PORT: port });
    expect(await same.ended()).toBe(78);
    expect(same.output()).toContain('METRICS_PORT');
  });
});

test('/metrics is for operators, and says where scrapers need no key', async () => {
  const url = `${server.url}/metrics`;
  const stranger = await textOf(url);
  expect(stranger.status).toBe(401);
  expect(stranger.text).toContain('METRICS_PORT');
  const { status, type, text } = await textOf(url, operator);
  expect({ status, type }).toEqual({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
  expect(text).toContain('http_server_request_duration_seconds_bucket');
  expect(text).toContain('nodejs_gc_duration_seconds_bucket');
  expect(text).toContain('\napp_ready 1\n');
});

test('without metrics there is nothing to scrape, with or without a key', async () => {
  const port = await freePort();
  const env = { DATABASE_URL: database.url, INTERNAL_API_KEY: KEY, ENABLE_METRICS: 'false' };
  await using off = await startServer({ ...env, METRICS_PORT: String(port) });
  await off.ready();
  for (const url of [`http://127.0.0.1:${port}/metrics`, `${off.url}/metrics`]) {
    expect((await textOf(url)).status, url).toBe(404);
    expect((await textOf(url, { ...operator, accept: 'text/html' })).status, url).toBe(404);
  }
});

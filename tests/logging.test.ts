import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createDatabase } from './support/postgres.ts';
import { openSeen, sendRaw } from './support/raw-http.ts';
import { type SpawnedServer, startServer } from './support/server.ts';
import { until } from './support/until.ts';

async function ready(env: Record<string, string> = {}) {
  const database = await createDatabase();
  const server = await startServer({ DATABASE_URL: database.url, ...env });
  await server.ready();
  return server;
}

const requests = (server: SpawnedServer) => server.log().filter(({ msg }) => msg === 'request');
const SECRET = 'hunter2-do-not-log';

/** Makes a terminal of what it runs in; a part of util-linux. */
const SCRIPT = '/usr/bin/script';

it.skipIf(process.platform !== 'linux' || !existsSync(SCRIPT))(
  'on a terminal what led to the address stands above it, and each thing is said once',
  async () => {
    const database = await createDatabase('empty');
    const env = { DATABASE_URL: database.url, NODE_ENV: 'development', TERM: 'xterm' };
    await using server = await startServer(env, {
      under: ['sh', '-c', `exec ${SCRIPT} -qec "$0 $*" /dev/null`],
    });
    await server.ready();
    await expect.poll(() => server.output()).toContain('is ready after');
    const text = stripVTControlCharacters(server.output());
    const places = ['starting → migrating', 'Migration applied', 'migrating → ready', 'is ready after'].map(
      (part) => text.indexOf(part),
    );
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(text).not.toMatch(/from|"to"/);
    await server.end();
    await database.drop();
  },
);

describe.concurrent('the log of a server', () => {
  it('has one line a request, which says who asked what and how it went', async () => {
    await using server = await ready();
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const own = await fetch(`${server.url}/api/nothing`, {
      headers: { 'x-request-id': 'from-outside-1', traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
    });
    const made = await fetch(`${server.url}/some/page`, { headers: { accept: 'text/html' } });
    const hostile = await fetch(`${server.url}/api/nothing`, {
      method: 'POST',
      headers: { 'x-request-id': '{"level":"fatal"}' },
    });
    expect(own.headers.get('x-request-id')).toBe('from-outside-1');
    expect(hostile.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    await server.end();
    const common = {
      level: 'info',
      time: expect.any(String),
      durationMs: expect.any(Number),
      msg: 'request',
    };
    const [first, second, third] = requests(server);
    expect(first).toMatchObject({
      ...common,
      requestId: 'from-outside-1',
      method: 'GET',
      status: 404,
      traceId,
    });
    expect(first).toMatchObject({ path: '/api/nothing' });
    expect(second).toEqual({
      ...common,
      requestId: made.headers.get('x-request-id'),
      method: 'GET',
      path: '/some/page',
      route: '/*',
      status: 200,
    });
    expect(third).toMatchObject({
      ...common,
      requestId: hostile.headers.get('x-request-id'),
      method: 'POST',
      path: '/api/nothing',
    });
    expect(requests(server)).toHaveLength(3);
    // One line is one object, whatever else the server has written.
    for (const line of server.output().trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
  });

  it('holds no secret that a caller sends, wherever it puts it', async () => {
    await using server = await ready({ LOG_LEVEL: 'trace' });
    const headers = {
      authorization: `Bearer ${SECRET}`,
      cookie: `session=${SECRET}`,
      'x-api-key': SECRET,
      'x-forwarded-for': SECRET,
      referer: `http://x/?token=${SECRET}`,
      'content-type': 'application/json',
    };
    for (const path of [
      `/?password=${SECRET}`,
      `/api/nothing?token=${SECRET}`,
      `/%zz?key=${SECRET}`,
      `/live?${SECRET}`,
    ]) {
      await fetch(server.url + path, { headers });
      await fetch(server.url + path, { method: 'POST', headers, body: `{"password":"${SECRET}` });
    }
    await sendRaw(server.url, [`GET /?${SECRET} HTTP/9.9\r\nAuthorization: ${SECRET}\r\n\r\n`]);
    await sendRaw(server.url, [`GET / HTTP/1.1\r\nHost: x\r\nCookie: ${SECRET.repeat(2_000)}\r\n\r\n`]);
    await server.end();
    expect(requests(server).length).toBeGreaterThan(6);
    expect(server.output()).not.toContain(SECRET);
  });

  it('has a line for what is refused before a route is found, and for who leaves before the answer', async () => {
    await using server = await ready({ LOG_LEVEL: 'debug' });
    const refused = await fetch(`${server.url}/%zz`);
    await using leaving = await openSeen(
      server.url,
      'POST /api/status HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    );
    await leaving[Symbol.asyncDispose]();
    await until('the line before it', () => requests(server).some(({ path }) => path === '/live'));
    await server.end();
    expect(requests(server)).toContainEqual(
      expect.objectContaining({
        path: '/%zz',
        status: 400,
        requestId: refused.headers.get('x-request-id'),
        durationMs: expect.any(Number),
      }),
    );
    expect(server.log().filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('keeps to LOG_LEVEL, in any case', async () => {
    await using server = await ready({ LOG_LEVEL: 'WARN' });
    await fetch(`${server.url}/api/nothing`);
    await server.end();
    expect(server.log().filter(({ level }) => level !== 'warn' && level !== 'error')).toEqual([]);
  });

  it('is also in LOG_FILE, rotated by size, to the last line', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'log-'));
    const env = {
      LOG_FILE: join(folder, 'logs', 'server.log'),
      LOG_FILE_MAX_BYTES: '2000',
      LOG_FILE_COUNT: '50',
    };
    await using server = await ready(env);
    for (let n = 0; n < 60; n++) {
      await fetch(`${server.url}/api/nothing/${n}`);
      if (n % 10 === 0) await sleep(120);
    }
    await server.end();
    const names = await readdir(join(folder, 'logs'));
    const files = await Promise.all(names.map((name) => readFile(join(folder, 'logs', name), 'utf8')));
    expect(files.length).toBeGreaterThan(2);
    const sorted = (text: string) => text.split('\n').filter(Boolean).sort();
    expect(sorted(files.join(''))).toEqual(sorted(server.output()));
    expect(files.join('')).toContain('draining → stopped');
    await rm(folder, { recursive: true });
  });
});

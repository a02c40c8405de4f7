import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../../../../tests/support/app.ts';
import { createDatabase, type TestDatabase } from '../../../../tests/support/postgres.ts';
import type { Part } from '../../parts.ts';

/** What is answered before an address is refused, and a little for a window that ends meanwhile. */
const MAX_ANSWERED = 12;
const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';
const SESSION = '/api/operations/session';
const CLOSED = '/api/monitoring/closed';
const closed: Part = {
  name: 'closed',
  async routesInEveryState(app) {
    app.get(CLOSED, { config: { access: 'operator' } }, async () => 'inside');
  },
};

let database: TestDatabase;
let server: TestApp;
let url: string;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());
afterEach(() => server[Symbol.asyncDispose]());

async function start(env: Record<string, string> = {}) {
  const secrets = { INTERNAL_API_KEY: KEY, SESSION_SECRET: 'Hn5cVt2QxWm8RzKb0LpYs4GdFj7UaEoi' };
  const all = { ...secrets, TRUST_PROXY: 'loopback', ...env };
  server = await createTestApp(database.url, all, { features: [() => closed] });
  url = await server.listen();
}

async function status(path: string, headers: Record<string, string>) {
  const answer = await fetch(url + path, { headers });
  await answer.body?.cancel();
  return answer.status;
}

/** How often each status is answered. */
function tally(statuses: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const one of statuses) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}

async function guess(count: number, path: string, headers: (n: number) => Record<string, string>) {
  const statuses: number[] = [];
  for (let n = 0; n < count; n++) {
    statuses.push(await status(path, { authorization: `Bearer guess-${n}`, ...headers(n) }));
  }
  return tally(statuses);
}

describe('a client that guesses operators’ keys', () => {
  it.each(['/metrics', CLOSED, '/api/monitoring/nothing'])('is refused after ten at %s', async (path) => {
    await start();
    const counts = await guess(300, path, () => ({}));
    expect(counts[401]).toBeLessThanOrEqual(MAX_ANSWERED);
    expect(counts).toEqual({ 401: counts[401], 429: 300 - (counts[401] as number) });
    expect(await status(path, { authorization: `Bearer ${KEY}` })).toBe(path.endsWith('nothing') ? 404 : 200);
  });

  it.each<[string, (n: number) => string]>([
    ['with a port on its forwarded address', (n) => `203.0.113.9:${2_000 + n}`],
    ['with brackets and a port on it', (n) => `[2001:db8:1:2::9]:${2_000 + n}`],
    ['with another address of its network', (n) => `2001:db8:1:2::${n}`],
    ['with words in place of an address', (n) => `unknown-${n}`],
    ['with numbers that are no address', (n) => `300.1.1.${n}`],
    ['with leading zeros', (n) => `203.0.113.${String(n).padStart(4, '0')}`],
  ])('is one client %s', async (_how, forwarded) => {
    await start();
    const counts = await guess(40, CLOSED, (n) => ({ 'x-forwarded-for': forwarded(n) }));
    expect(counts[401]).toBeLessThanOrEqual(MAX_ANSWERED);
  });

  it('learns nothing from a public route, and is not limited there', async () => {
    await start();
    const seen = async (key: string) => {
      const answer = await fetch(`${url}/api/status`, { headers: { authorization: `Bearer ${key}` } });
      const text = await answer.text();
      return [answer.status, answer.headers.get('ratelimit-policy'), text.length > 0];
    };
    expect(await seen(KEY)).toEqual(await seen('guess'));
    const counts = await guess(100, '/api/status', () => ({}));
    expect(counts).toEqual({ 200: 100 });
  });

  it('is logged once in a window, separately for each client', async () => {
    await start();
    await guess(60, CLOSED, () => ({ 'x-forwarded-for': '203.0.113.1' }));
    await guess(60, '/metrics', () => ({ 'x-forwarded-for': '203.0.113.2' }));
    const warned = server.lines.filter(({ level, client }) => level === 40 && client !== undefined);
    expect(warned.map(({ client, limit }) => [client, limit])).toEqual([
      ['203.0.113.1', 'operator-keys'],
      ['203.0.113.2', 'operator-keys'],
    ]);
    expect(JSON.stringify(server.lines)).not.toContain('guess-');
    expect(server.app.rateLimits.refused['operator-keys']).toBe(100);
  });
});

/** A sign-in whose head is sent, and whose body is held back. */
async function heldSignIn(key: string): Promise<{ socket: Socket; finish(): Promise<number> }> {
  const { port } = new URL(url);
  const body = JSON.stringify({ key });
  const socket = connect(Number(port), '127.0.0.1').setEncoding('latin1');
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => {});
  socket.write(
    `POST ${SESSION} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`,
  );
  // Said when the request has reached the application.
  await expect.poll(() => received).toContain('HTTP/1.1 100 Continue\r\n\r\n');
  return {
    socket,
    async finish() {
      socket.write(body);
      const answered = /HTTP\/1\.1 ([2-5]\d\d)/;
      await expect.poll(() => received).toMatch(answered);
      socket.destroy();
      return Number(answered.exec(received)?.[1]);
    },
  };
}

describe('a client that signs in', () => {
  it('gets ten attempts, also where it holds back the bodies of many parallel ones', async () => {
    await start();
    const held = await Promise.all(Array.from({ length: 59 }, (_, n) => heldSignIn(`guess-${n}`)));
    const counts = tally(await Promise.all(held.map((one) => one.finish())));
    expect(counts[401]).toBeLessThanOrEqual(MAX_ANSWERED);
    expect(counts).toEqual({ 401: counts[401], 429: 59 - (counts[401] as number) });
    expect(server.lines.filter(({ level, client }) => level === 40 && client !== undefined).length).toBe(1);
  });

  it('gets an attempt back when it succeeds, or when the server could not check it', async () => {
    await start();
    for (let n = 0; n < 20; n++) expect(await (await heldSignIn(KEY)).finish()).toBe(200);
    await server[Symbol.asyncDispose]();
    await start({ SESSION_SECRET: '' });
    for (let n = 0; n < 20; n++) expect(await (await heldSignIn(KEY)).finish()).toBe(503);
  });

  it('loses an attempt that it aborts', async () => {
    await start();
    for (let n = 0; n < 10; n++) (await heldSignIn(`guess-${n}`)).socket.destroy();
    expect(await (await heldSignIn('guess')).finish()).toBe(429);
  });
});

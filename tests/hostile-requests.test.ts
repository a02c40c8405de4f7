/** What nobody sends by mistake: odd methods, paths, headers, encodings and cookies, over a real connection. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from './support/app.ts';
import { createDatabase, type TestDatabase } from './support/postgres.ts';
import { openRaw, sendRaw } from './support/raw-http.ts';

let database: TestDatabase;
let server: TestApp;
let address: string;

beforeAll(async () => {
  database = await createDatabase();
  server = await createTestApp(database.url, { CORS_ORIGINS: 'https://app.example.com' });
  address = await server.listen();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

const send = (first: string, ...headers: string[]) =>
  sendRaw(address, [`${[first, 'Host: x', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`]);
const get = (path: string, ...headers: string[]) => send(`GET ${path} HTTP/1.1`, ...headers);
const PAGE = 'Accept: text/html';

/** Every response is free of foreign files and of internals, and has the security headers. */
function expectGuarded(answer: Awaited<ReturnType<typeof send>>): void {
  expect(answer.body).not.toMatch(/root:|node_modules|at \S+ \(|"dependencies"/);
  expect(answer.headers.get('server')).toBeUndefined();
  expect(answer.headers.get('x-powered-by')).toBeUndefined();
  expect(answer.headers.get('x-request-id')).toMatch(/\S/);
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  if (answer.status >= 400) expect(answer.headers.get('cache-control')).toBe('no-store');
}

describe('paths', () => {
  it.each([
    ['/../../../../etc/passwd', 404],
    ['/..%2f..%2f..%2fetc%2fpasswd', 404],
    ['/%2e%2e/%2e%2e/etc/passwd', 404],
    ['/assets/..\\..\\package.json', 404],
    ['/assets/%5c..%5cpackage.json', 404],
    ['/notes/..', 404],
    ['/notes/../../etc', 404],
    ['//etc/passwd', 200],
    ['/a//b', 200],
    ['/.env', 404],
    ['/.git/config', 404],
    ['/index.html%00.txt', 404],
    ['/%00', 404],
    ['/%', 400],
    ['/%c0%ae%c0%ae/', 400],
    ['/%ff', 400],
    ['/;/admin', 200],
    [`/${'a'.repeat(3_000)}`, 414],
    [`/${'a'.repeat(20_000)}`, 431],
    ['/api/../index.html', 404],
    ['/API/STATUS', 200],
    ['/api/status/', 404],
    ['/api//status', 404],
    ['/api/monitoring/../status', 401],
    ['/api/%6donitoring/logs', 401],
    // The form that proxies are asked in; servers take it too (RFC 9112, 3.2.2).
    ['http://evil.example/live', 200],
    ['*', 200],
    ['?', 400],
  ])('%s is answered with %i', async (path, status) => {
    const answer = await get(path, PAGE);
    expect(answer.status).toBe(status);
    expectGuarded(answer);
  });
});

describe('methods', () => {
  it.each([
    ['TRACE', '/api/status', 405],
    ['OPTIONS', '/api/status', 405],
    ['OPTIONS', '*', 404],
    ['PUT', '/index.html', 405],
    ['DELETE', '/', 405],
    ['PROPFIND', '/', 405],
    ['POST', '/live', 405],
    ['CONNECT', 'evil.example:443', 0],
    ['BREW', '/', 400],
    ['get', '/', 400],
    ['G\tET', '/', 400],
  ])('%s %s is answered with %i', async (method, path, status) => {
    const answer = await send(`${method} ${path} HTTP/1.1`).catch(() => undefined);
    expect(answer?.status ?? 0).toBe(status);
    if (answer) expectGuarded(answer);
  });
});

describe('headers', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: ${index}`);
  it.each<[string, number, string[]]>([
    ['a hundred of them', 431, many(100)],
    ['one that is too long', 431, [`X-Long: ${'a'.repeat(17_000)}`]],
    ['a name with a space', 400, ['X Y: 1']],
    ['a space before the colon', 400, ['X-Y : 1']],
    ['a line that is folded', 400, ['X-Y: 1', ' 2']],
    ['a NUL', 400, ['X-Y: a\0b']],
    ['a bare line feed', 400, ['X-Y: a\nX-Z: b']],
    ['__proto__ as a name', 200, ['__proto__: 1', 'constructor: 1']],
    ['a traceparent that is none', 200, ['traceparent: 00-zz-zz-zz']],
    ['ids with quotes and line ends', 200, ['X-Request-Id: "\\r\\n{"a":1}']],
    ['a range of nothing', 200, ['Range: bytes=-']],
    ['times that are none', 200, ['If-Modified-Since: never', 'If-None-Match: ,,,"']],
    ['bytes beyond ASCII', 200, ['X-Y: \xff\xfe']],
    ['an expectation that nobody meets', 417, ['Expect: everything']],
    [
      'an upgrade to what is not spoken',
      200,
      ['Upgrade: h2c, websocket', 'Connection: Upgrade, HTTP2-Settings'],
    ],
    ['a content type as long as a page', 200, [`Content-Type: ${'a/'.repeat(4_000)}`]],
    ['languages by the thousand', 200, [`Accept-Language: ${'en;q=0.1,'.repeat(1_500)}`]],
  ])('%s are answered with %i', async (_what, status, headers) => {
    const answer = await get('/api/status', ...headers);
    expect(answer.status).toBe(status);
    expectGuarded(answer);
  });

  it('never come back as headers of the answer', async () => {
    const answer = await get('/api/nothing%0d%0aSet-Cookie:%20a=1', 'X-Request-Id: abcdefgh%0d%0aX-Evil: 1');
    expect(answer.headers.get('set-cookie')).toBeUndefined();
    expect(answer.headers.get('x-evil')).toBeUndefined();
  });
});

describe('encodings', () => {
  it.each([
    'gzip;q=0, *;q=0',
    '*',
    'br;q=1.0, gzip;q=0.8, *;q=0.1',
    'gzip'.padEnd(8_000, ',gzip'),
    ';;;===,,,',
    '__proto__, constructor',
    'identity;q=0',
    'gzip; q = 0 ; q=1',
  ])('%s is taken as a wish', async (encoding) => {
    for (const path of ['/', '/api/status', '/api/openapi.json']) {
      const answer = await get(path, `Accept-Encoding: ${encoding}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-encoding') ?? 'identity').toMatch(/^(identity|gzip)$/);
    }
  });
});

describe('cookies', () => {
  it.each([
    `Cookie: ${'a=1; '.repeat(2_000)}`,
    'Cookie: ;;;=;=a; __proto__=1',
    'Cookie: a="\\"; b=%ff%00',
    'Cookie: a=1\r\nCookie: a=2',
  ])('%.40s are read by nobody', async (cookie) => {
    expect((await get('/api/status', cookie)).status).toBe(200);
  });
});

it('a connection on which all of this was said serves the next honest request', async () => {
  await using connection = await openRaw(address);
  for (const path of ['/%', '/.env', '/api/nothing', '/live']) {
    connection.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const { status } = await connection.answer();
    if (path === '/live') expect(status).toBe(200);
  }
  expect(server.lines.filter(({ level }) => Number(level) >= 50)).toEqual([]);
});

it('a second Host is refused where hosts are limited', async () => {
  await using limited = await createTestApp(database.url, { ALLOWED_HOSTS: 'own.example' });
  const where = await limited.listen();
  const ask = (...hosts: string[]) =>
    sendRaw(where, [
      `GET /api/status HTTP/1.1\r\nConnection: close\r\n${hosts.map((host) => `Host: ${host}\r\n`).join('')}\r\n`,
    ]);
  expect((await ask('own.example')).status).toBe(200);
  expect((await ask('own.example', 'evil.example')).status).toBe(421);
  expect((await ask('evil.example', 'own.example')).status).toBe(421);
  expect((await ask()).status).toBe(400);
});

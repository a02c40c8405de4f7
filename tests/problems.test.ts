import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from './support/app.ts';
import { createDatabase } from './support/postgres.ts';
import { type RawAnswer, sendRaw } from './support/raw-http.ts';
import { startServer } from './support/server.ts';

let server: TestApp;
let url: string;
beforeAll(async () => {
  server = await createTestApp((await createDatabase()).url);
  url = await server.listen();
});
afterAll(() => server[Symbol.asyncDispose]());

const get = (path: string, lines = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${lines}\r\n`;

/** What only the assembled server shows: that every refusal, from wherever it comes, is the same kind of document. */
const REFUSED: [what: string, status: number, request: string][] = [
  ['a missing address of the API', 404, get('/api/nothing')],
  ['a missing file', 404, get('/assets/nothing.js', 'Accept: text/html\r\n')],
  ['a method that a page does not have', 405, 'DELETE / HTTP/1.1\r\nHost: x\r\n\r\n'],
  [
    'a method that a route does not have',
    405,
    'PUT /api/status HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n',
  ],
  ['OPTIONS', 405, 'OPTIONS /live HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a malformed address', 400, get('/%zz')],
  ['a malformed address of the API', 400, get('/api/%e0%a4%a')],
];
const BROKEN: [what: string, status: number, request: string][] = [
  ['what is not HTTP', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  ['a method that HTTP does not know', 400, 'FROBNICATE / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a space in a header name', 400, get('/live', 'X Y: 1\r\n')],
  ['two ways to tell the length', 400, get('/', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n')],
  ['headers of 17 kB', 431, get('/', `X-Long: ${'x'.repeat(17_000)}\r\n`)],
  ['an address of 17 kB', 431, get(`/${'x'.repeat(17_000)}`)],
];

function expectProblem(answer: RawAnswer, status: number) {
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(JSON.parse(answer.body)).toMatchObject({
    type: expect.stringMatching(/^\/problems\/[a-z-]+$/),
    title: expect.any(String),
    status,
    instance: expect.any(String),
    requestId: answer.headers.get('x-request-id'),
  });
  expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
}

describe('the server refuses', () => {
  it.each(REFUSED)('%s with %d, as a problem with every security header', async (_what, status, request) => {
    const answer = await sendRaw(url, [request]);
    expectProblem(answer, status);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    if (status === 405) expect(answer.headers.get('allow')).toBe('GET, HEAD');
  });

  it.each(BROKEN)('%s with %d, and closes the connection', async (_what, status, request) => {
    const answer = await sendRaw(url, [request]);
    expectProblem(answer, status);
    expect(answer.headers.get('connection')).toBe('close');
  });

  it('nothing for having refused before: the next request is answered', async () => {
    expect((await fetch(`${url}/live`)).status).toBe(200);
    const errors = server.lines.filter(({ level }) => Number(level) >= 50);
    expect(errors).toEqual([]);
  });

  it('broken requests in the same way before it is ready', async () => {
    await using starting = await startServer({ DATABASE_URL: 'postgres://u:p@127.0.0.1:1/d' });
    await starting.open();
    // Until the application is loaded, the page waits for it.
    await (await fetch(starting.url)).text();
    for (const [, status, request] of BROKEN) expectProblem(await sendRaw(starting.url, [request]), status);
  });
});

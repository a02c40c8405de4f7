import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fastifyCompress from '@fastify/compress';
import Fastify, { type FastifyInstance } from 'fastify';
import pg from 'pg';
import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSeen, sendRaw } from '../../../tests/support/raw-http.ts';
import { DatabaseUnavailableError } from '../database/pool/unavailable.ts';
import { ProblemError } from '../lib/problem.ts';
import { answerBrokenConnection, problems, sendEarlyError } from './problems.ts';
import { requestContext, requestId } from './request-context.ts';
import { SchemaCompilers } from './schemas.ts';

const INSIDE = 'relation "users" does not exist at 10.1.2.3';

let app: FastifyInstance;
let server: Server;
let address: string;
const logged: Record<string, unknown>[] = [];

beforeAll(async () => {
  server = createServer({ headersTimeout: 3_000, requestTimeout: 3_000, connectionsCheckingInterval: 100 });
  app = Fastify({
    serverFactory: () => server,
    logger: { level: 'debug', stream: { write: (line: string) => logged.push(JSON.parse(line)) } },
    genReqId: requestId,
    bodyLimit: 1_000,
    routerOptions: { maxParamLength: 20 },
    frameworkErrors: (error, request, reply) => sendEarlyError(error, request as never, reply as never),
    clientErrorHandler: answerBrokenConnection(),
  });
  const compilers = new SchemaCompilers();
  app.setValidatorCompiler(compilers.validator);
  app.setSerializerCompiler(compilers.serializer);
  await app.register(requestContext);
  await app.register(problems);
  await app.register(fastifyCompress, { global: false });
  app.get('/things/:id', async () => ({ fine: true }));
  app.post(
    '/things',
    { schema: { body: Type.Object({ size: Type.Integer({ maximum: 9 }) }) } },
    async () => null,
  );
  app.post('/compressed', { decompress: {} }, async () => null);
  const throwing = (path: string, make: () => unknown) =>
    app.get(path, async () => {
      throw make();
    });
  throwing('/conflict', () => new ProblemError('conflict', 'There is one of that name.'));
  throwing('/changed', () => new ProblemError('precondition-failed', 'Read it again.'));
  throwing('/if-match', () => new ProblemError('precondition-required', 'Send If-Match.'));
  throwing('/key', () => new ProblemError('unauthorized', 'Send a key.'));
  throwing('/again', () => new ProblemError('reauthenticate', 'Sign in once more.'));
  throwing('/staff', () => new ProblemError('forbidden', 'Not you.'));
  throwing('/foreign', () => new ProblemError('cross-site', 'Not from there.'));
  throwing('/beyond', () => new ProblemError('range-not-satisfiable', 'It ends before that.'));
  throwing('/elsewhere', () => new ProblemError('misdirected', 'Not under that name.'));
  throwing('/often', () => {
    return new ProblemError('too-many-requests', 'Wait.', { headers: { 'retry-after': '9' } });
  });
  throwing('/too-late', () => {
    const cause = new ProblemError('handler-timeout', 'Too late.', { headers: { 'retry-after': '1' } });
    return new Error('Failed query', { cause });
  });
  throwing('/bug', () => new Error(INSIDE));
  throwing('/statement', () => Object.assign(new pg.DatabaseError(INSIDE, 1, 'error'), { code: '42P01' }));
  throwing('/upload', () =>
    Object.assign(new Error('request file too large'), { code: 'FST_REQ_FILE_TOO_LARGE', statusCode: 413 }),
  );
  throwing('/gone', () => Object.assign(new Error('It has gone.'), { statusCode: 410, expose: true }));
  throwing('/unnamed', () => Object.assign(new Error('No such status.'), { statusCode: 499, expose: true }));
  throwing('/upstream', () => Object.assign(new Error(INSIDE), { statusCode: 404, code: 'NoSuchKey' }));
  throwing('/plugin', () =>
    Object.assign(new Error(INSIDE), { statusCode: 502, code: 'FST_REPLY_FROM_BAD_GATEWAY' }),
  );
  throwing('/exposed', () => Object.assign(new Error(INSIDE), { statusCode: 503, expose: true }));
  throwing('/text', () => 'thrown as it is');
  throwing('/away', () => {
    const cause = new DatabaseUnavailableError('connect ECONNREFUSED 10.1.2.3:5432');
    return new Error('Failed query', { cause });
  });
  app.get('/slow', { handlerTimeout: 50 }, () => sleep(60_000, null, { ref: false }));
  await app.ready();
  server.on('request', app.routing);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await app.close();
});

const json = { 'content-type': 'application/json' };
const post = (body: string, headers: Record<string, string> = json) => ({ method: 'POST', body, headers });
const request = (lines: string) => `${lines.replaceAll('\n', '\r\n')}\r\nHost: x\r\n\r\n`;

type Case = [kind: string, status: number, path: string, init?: RequestInit];
const CASES: Case[] = [
  ['validation', 400, '/things', post('{"size":10}')],
  ['malformed-json', 400, '/things', post('{"size":')],
  ['malformed-json', 400, '/things', post('')],
  ['malformed-json', 400, '/things', post('{"__proto__":{"size":1}}')],
  ['bad-request', 400, '/things/%zz'],
  ['unauthorized', 401, '/key'],
  ['reauthenticate', 401, '/again'],
  ['forbidden', 403, '/staff'],
  ['cross-site', 403, '/foreign'],
  ['not-found', 404, '/nothing'],
  ['method-not-allowed', 405, '/things/1', { method: 'DELETE' }],
  ['method-not-allowed', 405, '/things', { method: 'OPTIONS' }],
  ['conflict', 409, '/conflict'],
  ['precondition-failed', 412, '/changed'],
  ['too-large', 413, '/things', post(JSON.stringify({ size: 1, more: 'x'.repeat(1_000) }))],
  ['uri-too-long', 414, `/things/${'x'.repeat(21)}`],
  ['unsupported-media-type', 415, '/things', post('<size/>', { 'content-type': 'text/xml' })],
  ['unsupported-media-type', 415, '/things', post('x', { 'content-type': 'no media type' })],
  ['range-not-satisfiable', 416, '/beyond'],
  ['misdirected', 421, '/elsewhere'],
  ['precondition-required', 428, '/if-match'],
  ['too-many-requests', 429, '/often'],
  ['internal', 500, '/bug'],
  ['internal', 500, '/statement'],
  ['internal', 500, '/text'],
  ['internal', 500, '/upstream'],
  ['internal', 500, '/plugin'],
  ['internal', 500, '/exposed'],
  ['unavailable', 503, '/away'],
  ['handler-timeout', 503, '/slow'],
  ['handler-timeout', 503, '/too-late'],
];
const RAW: [kind: string, status: number, what: string, parts: string[]][] = [
  ['bad-request', 400, 'what is not HTTP', ['HELO mail\r\n\r\n']],
  [
    'bad-request',
    400,
    'two lengths',
    [request('POST /things HTTP/1.1\nContent-Length: 1\nContent-Length: 2')],
  ],
  ['headers-too-large', 431, 'headers of 20 kB', [request(`GET / HTTP/1.1\nX-Long: ${'x'.repeat(20_000)}`)]],
  ['timeout', 408, 'half of its headers', ['GET / HTTP/1.1\r\nHost:']],
  [
    'timeout',
    408,
    'half of its body',
    [`${request('POST /things HTTP/1.1\nContent-Type: application/json\nContent-Length: 9')}{`],
  ],
];

/** What every problem document is, whatever the problem. */
function expectProblem(
  kind: string,
  status: number,
  answer: { status: number; header(name: string): string | null | undefined; text: string },
) {
  expect(answer.status).toBe(status);
  expect(answer.header('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(answer.header('cache-control')).toBe('no-store');
  const document = JSON.parse(answer.text);
  expect(document).toMatchObject({
    type: `/problems/${kind}`,
    title: expect.stringMatching(/^[A-Z]/),
    status,
    instance: expect.any(String),
    requestId: answer.header('x-request-id'),
  });
  expect(document.requestId).toMatch(/^[0-9a-f-]{36}$/);
  return document;
}

describe('a problem', () => {
  it.each(CASES)('%s is answered with %d (%s)', async (kind, status, path, init) => {
    const answer = await fetch(`${address}${path}?token=secret`, init);
    const document = expectProblem(kind, status, {
      status: answer.status,
      header: (name) => answer.headers.get(name),
      text: await answer.text(),
    });
    expect(document.instance).toBe(path);
    expect(document.detail).toMatch(/\.$/);
    expect(JSON.stringify(document)).not.toMatch(/secret|10\.1\.2\.3|users/);
    expect(answer.headers.get('retry-after') !== null).toBe([429, 503].includes(status));
  });

  it.each(RAW)('%s is answered with %d to %s, and the connection closed', async (kind, status, _, parts) => {
    const answer = await sendRaw(address, parts);
    expectProblem(kind, status, {
      status: answer.status,
      header: (name) => answer.headers.get(name),
      text: answer.body,
    });
    expect(answer.headers.get('connection')).toBe('close');
  });

  it.each<[status: number, title: string, detail: string, path: string, init?: RequestInit]>([
    [
      415,
      'Unsupported Media Type',
      'Unsupported Content-Encoding: odd',
      '/compressed',
      post('{}', { ...json, 'content-encoding': 'odd' }),
    ],
    [
      400,
      'Bad Request',
      'Could not decompress the request payload using the provided encoding',
      '/compressed',
      post('{}', { ...json, 'content-encoding': 'gzip' }),
    ],
    [413, 'Payload Too Large', 'request file too large', '/upload'],
    [410, 'Gone', 'It has gone.', '/gone'],
    [499, 'Client error', 'No such status.', '/unnamed'],
  ])(
    'of a plugin keeps its status %d (%s), and what it says to the caller',
    async (status, title, detail, path, init) => {
      logged.length = 0;
      const answer = await fetch(`${address}${path}`, init);
      expect(answer.status).toBe(status);
      expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
      expect(await answer.json()).toEqual({
        type: 'about:blank',
        title,
        status,
        detail,
        instance: path,
        requestId: answer.headers.get('x-request-id'),
      });
      expect(logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
    },
  );

  it('of every kind there is has been sent above', async () => {
    const { readFile } = await import('node:fs/promises');
    const source = await readFile(new URL('../lib/problem.ts', import.meta.url), 'utf8');
    const kinds = [...source.matchAll(/^ {2}'?([\w-]+)'?: \[\d{3}, /gm)].map(([, kind]) => kind);
    expect(kinds.length).toBeGreaterThan(10);
    expect(new Set([...CASES, ...RAW].map(([kind]) => kind))).toEqual(new Set(kinds));
  });

  it('names each refused value', async () => {
    const answer = await fetch(`${address}/things`, post('{"size":10}'));
    const { errors } = (await answer.json()) as { errors: unknown };
    expect(errors).toEqual([{ path: 'body/size', message: 'is more than 9' }]);
  });

  it('with the method says which ones are possible', async () => {
    const answer = await fetch(`${address}/things/1`, { method: 'DELETE' });
    expect(answer.headers.get('allow')).toBe('GET, HEAD');
  });

  it('is without a body for HEAD', async () => {
    const answer = await fetch(`${address}/nothing`, { method: 'HEAD' });
    expect(answer.status).toBe(404);
    expect(await answer.text()).toBe('');
  });

  it('that nobody expected is logged as an error, with its cause and id; others are not', async () => {
    logged.length = 0;
    const answer = await fetch(`${address}/bug`);
    for (const path of ['/nothing', '/conflict', '/away']) await fetch(`${address}${path}`);
    const errors = logged.filter(({ level }) => Number(level) >= 50);
    expect(errors).toEqual([expect.objectContaining({ err: expect.objectContaining({ message: INSIDE }) })]);
    expect(errors[0]).toMatchObject({ reqId: answer.headers.get('x-request-id') });
  });

  it('is not made of a client that goes away in the middle of its body', async () => {
    logged.length = 0;
    const connection = await openSeen(
      address,
      `${request('POST /things HTTP/1.1\nContent-Type: application/json\nContent-Length: 9')}{`,
    );
    await connection[Symbol.asyncDispose]();
    await sleep(100);
    expect(logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });
});

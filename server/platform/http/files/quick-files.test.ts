import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as ask, createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import zlib from 'node:zlib';
import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Lifecycle } from '../../health/lifecycle.ts';
import { connections } from '../connections.ts';
import { metrics } from '../metrics.ts';
import { OverloadFacts } from '../overload.ts';
import { problems } from '../problems.ts';
import { QuickResponse } from '../quick-response.ts';
import { requestContext, requestId } from '../request-context.ts';
import { securityHeaders } from '../security-headers.ts';
import { trustOf } from '../trust.ts';
import { client } from './client.ts';
import { quickFiles } from './quick-files.ts';

const HSTS = 'max-age=31536000';
const SCRIPT = 'export const table = "the same again, ";\n'.repeat(100);

let folder: string;
let app: FastifyInstance;
/** One answers quickly where it can, the other sends the same requests through Fastify. */
let quick: Server;
let routed: Server;
/** Requests of the quick one that went through Fastify all the same. */
let handedOn = 0;
const lifecycle = new Lifecycle([]);
const trusts = trustOf(['loopback']);

const listening = async (server: Server) => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'client-'));
  await mkdir(join(folder, 'assets'));
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>the page</title>');
  await writeFile(join(folder, 'assets/main-a1.js'), SCRIPT);
  await writeFile(join(folder, 'assets/main-a1.js.gz'), zlib.gzipSync(SCRIPT));
  await writeFile(join(folder, 'assets/main-a1.js.br'), zlib.brotliCompressSync(SCRIPT));
  await writeFile(join(folder, 'assets/large-b2.js'), SCRIPT.repeat(20));
  quick = createServer({ ServerResponse: QuickResponse });
  const loggerInstance: FastifyBaseLogger = pino({ level: 'warn' }, { write() {} });
  app = Fastify({ serverFactory: () => quick, genReqId: requestId, trustProxy: trusts, loggerInstance });
  await app.register(requestContext);
  await app.register(connections, { server: quick, most: 100, alwaysAnswered: new Set<string>(), lifecycle });
  app.decorate('overload', new OverloadFacts());
  const none = { max: 0, total: 0, idle: 0, waiting: 0 };
  const database = { stats: () => none, observe: () => {}, failures: 0 };
  await app.register(metrics, { enabled: true, database });
  await app.register(problems);
  await app.register(securityHeaders, { hsts: HSTS, fromVite: false, inReplitWorkspace: false });
  app.addHook('onRequest', (_request, _reply, done) => {
    handedOn++;
    done();
  });
  await app.register(client, { folder });
  await app.ready();
  quick.on('request', quickFiles(app, { lifecycle, anyHost: true, hsts: HSTS, trusts }));
  routed = createServer(app.routing);
  await Promise.all([listening(quick), listening(routed)]);
});
afterAll(async () => {
  await Promise.all([quick, routed].map((server) => new Promise((resolve) => server.close(resolve))));
  await app.close();
  await rm(folder, { recursive: true });
});

interface Request {
  path?: string;
  method?: string;
  headers?: Record<string, string>;
}

function answerOf(server: Server, { path = '/assets/main-a1.js', method = 'GET', headers = {} }: Request) {
  const { port } = server.address() as AddressInfo;
  return new Promise<{ status: number | undefined; headers: IncomingHttpHeaders; body: string }>(
    (resolve, reject) => {
      ask({ port, path, method, headers, host: '127.0.0.1', agent: false }, async (response) => {
        const body = Buffer.concat(await response.toArray()).toString('latin1');
        const { date, ...rest } = response.headers;
        resolve({ status: response.statusCode, headers: rest, body });
      })
        .on('error', reject)
        .end();
    },
  );
}

const ID = { 'x-request-id': 'the-same-for-both' };
const etagOf = async (encoding: string) =>
  (await answerOf(routed, { headers: { 'accept-encoding': encoding } })).headers.etag as string;

it.each<[string, boolean, number, Request]>([
  ['a file', true, 200, {}],
  ['a file in gzip', true, 200, { headers: { 'accept-encoding': 'gzip' } }],
  ['a file in its smallest form', true, 200, { headers: { 'accept-encoding': 'gzip, deflate, br, zstd' } }],
  ['the page', true, 200, { path: '/' }],
  ['a file over TLS', true, 200, { headers: { 'x-forwarded-proto': 'https' } }],
  ['a file over what is not TLS', true, 200, { headers: { 'x-forwarded-proto': 'https, http' } }],
  ['a tag that is another', false, 200, { headers: { 'if-none-match': '"other"' } }],
  ['a time', false, 304, { headers: { 'if-modified-since': new Date(Date.now() + 60_000).toUTCString() } }],
  ['a part', false, 206, { headers: { range: 'bytes=0-9' } }],
  ['HEAD', false, 200, { method: 'HEAD' }],
  ['a query', false, 200, { path: '/assets/main-a1.js?v=1' }],
  ['a large file', false, 200, { path: '/assets/large-b2.js' }],
  ['a route of the router', false, 200, { path: '/notes', headers: { accept: 'text/html' } }],
  ['what is missing', false, 404, { path: '/assets/none.js' }],
  ['a method that is not possible', false, 405, { method: 'POST' }],
])('%s is answered as the route would, quickly: %s, with %i', async (_what, isQuick, status, request) => {
  const asked = { ...request, headers: { ...ID, ...request.headers } };
  const before = handedOn;
  const answer = await answerOf(quick, asked);
  expect(handedOn - before).toBe(isQuick ? 0 : 1);
  expect(answer.status).toBe(status);
  expect(answer).toEqual(await answerOf(routed, asked));
});

it.each(['br', 'gzip', 'identity'])('what is unchanged in %s is quickly not sent again', async (encoding) => {
  const headers = {
    ...ID,
    'accept-encoding': encoding,
    'if-none-match': await etagOf(encoding),
    'if-modified-since': new Date(0).toUTCString(),
  };
  const before = handedOn;
  const answer = await answerOf(quick, { headers });
  expect([answer.status, answer.body, handedOn - before]).toEqual([304, '', 0]);
  expect(answer).toEqual(await answerOf(routed, { headers }));
});

it('says HSTS over TLS, and gives each request an id', async () => {
  const over = await answerOf(quick, { headers: { 'x-forwarded-proto': 'https' } });
  expect(over.headers['strict-transport-security']).toBe(HSTS);
  const plain = await answerOf(quick, {});
  expect(plain.headers['strict-transport-security']).toBeUndefined();
  expect(plain.headers['x-request-id']).not.toBe(over.headers['x-request-id']);
});

it('is not used where hosts are limited', () => {
  const options = { lifecycle, hsts: HSTS, trusts } as const;
  expect(quickFiles(app, { ...options, anyHost: false })).toBe(app.routing);
});

it('stands back while every request is to be seen in the log', async () => {
  for (const [level, handed] of [
    ['debug', 1],
    ['info', 0],
  ] as const) {
    app.log.level = level;
    const before = handedOn;
    await answerOf(quick, {});
    expect(handedOn - before, level).toBe(handed);
  }
});

it('leaves it to the rest to close connections while draining', async () => {
  lifecycle.to('draining');
  const answer = await answerOf(quick, { headers: ID });
  expect(answer.headers.connection).toBe('close');
  expect(answer).toEqual(await answerOf(routed, { headers: ID }));
});

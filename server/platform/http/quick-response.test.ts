import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, expect, it } from 'vitest';
import { HeaderBlock, QuickResponse, sendBlock, sendLine, takesBlocks } from './quick-response.ts';

const BLOCK = new HeaderBlock({
  'x-first': 'one',
  'x-second': 'two',
  'content-security-policy': "default-src 'none'",
});

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** @returns The answer as it comes over the wire, without its date. */
async function ask(listener: RequestListener, options: object, request = 'GET / HTTP/1.1'): Promise<string> {
  server = createServer(options, listener);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.end(`${request}\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/Date: .*\r\n/, '');
}

const headersOf = (answer: string) =>
  answer.slice(0, answer.indexOf('\r\n\r\n')).split('\r\n').slice(1).sort();
const bodyOf = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4);

async function withRoutes(add: (app: FastifyInstance) => void): Promise<RequestListener> {
  const app = Fastify();
  app.addHook('onRequest', (_request, reply, done) => {
    sendBlock(reply, BLOCK);
    sendLine(reply, 'x-own', '1');
    done();
  });
  add(app);
  await app.ready();
  return app.routing;
}

it('leans on something that this version of Node still does', () => {
  // If this fails, answers are still whole: they go the slower way. Look at OutgoingMessage's _storeHeader.
  expect(takesBlocks).toBe(true);
});

it.each<[string, (app: FastifyInstance) => void]>([
  ['JSON', (app) => app.get('/', async () => ({ a: 'b' }))],
  ['text that is not ASCII', (app) => app.get('/', async () => ({ a: 'ä€😀' }))],
  ['Latin-1 text', (app) => app.get('/', async () => 'é')],
  ['bytes', (app) => app.get('/', async () => Buffer.from([0, 255, 128]))],
  ['nothing', (app) => app.get('/', (_request, reply) => void reply.code(204).send())],
  ['a stream', (app) => app.get('/', async () => new Response('streamed').body)],
  ['an error', (app) => app.get('/', async () => Promise.reject(new Error('no')))],
  [
    'a header of the block, its own',
    (app) => app.get('/', (_request, reply) => void reply.header('X-First', 'mine').send('a')),
  ],
  [
    'headers of its own',
    (app) =>
      app.get(
        '/',
        (_request, reply) => void reply.headers({ a: '1', 'set-cookie': ['a=1', 'b=2'] }).send('a'),
      ),
  ],
  ['a status of its own', (app) => app.get('/', (_request, reply) => void reply.code(418).send('tea'))],
])('sends the same with a block as without: %s', async (_what, add) => {
  const routing = await withRoutes(add);
  const quick = await ask(routing, { ServerResponse: QuickResponse });
  const usual = await ask(routing, {});
  expect(headersOf(quick)).toEqual(headersOf(usual));
  expect(headersOf(quick)).toContain('x-second: two');
  expect(headersOf(quick)).toContain('x-own: 1');
  expect(bodyOf(quick)).toBe(bodyOf(usual));
});

it.each<[string, RequestListener]>([
  ['an object', (_request, response) => void response.writeHead(200, { 'X-First': 'mine' }).end('a')],
  [
    'names and values in turn',
    (_request, response) => void response.writeHead(200, ['X-First', 'mine']).end('a'),
  ],
  ['setHeader', (_request, response) => void response.setHeader('X-First', 'mine').end('a')],
  [
    'setHeader and writeHead',
    (_request, response) =>
      void response.setHeader('X-First', 'yours').writeHead(200, { 'x-first': 'mine' }).end('a'),
  ],
])('lets a header of its own win that is given as %s', async (_how, answer) => {
  const listener: RequestListener = (request, response) => {
    (response as QuickResponse).block = BLOCK;
    answer(request, response);
  };
  const head = await ask(listener, { ServerResponse: QuickResponse });
  expect(head.match(/x-first: .*/gi)).toEqual([expect.stringMatching(/^x-first: mine$/i)]);
  expect(head).toContain('\r\nx-second: two\r\n');
});

it('answers HEAD with the headers alone', async () => {
  const routing = await withRoutes((app) => app.get('/', async () => ({ a: 'b' })));
  const answer = await ask(routing, { ServerResponse: QuickResponse }, 'HEAD / HTTP/1.1');
  expect(headersOf(answer)).toContain('content-length: 9');
  expect(bodyOf(answer)).toBe('');
});

it.each([
  ['a line end', { a: 'b\r\nc: d' }],
  ['a name that is none', { 'a b': 'c' }],
  ['what is not ASCII', { a: 'ä' }],
  ['what Node acts upon', { 'content-length': '1' }],
])('refuses a block with %s', (_what, headers) => {
  expect(() => new HeaderBlock(headers as unknown as Record<string, string>)).toThrow(TypeError);
});

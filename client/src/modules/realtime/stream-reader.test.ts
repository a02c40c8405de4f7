import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { EventMessage } from '#contracts/realtime.ts';
import { until } from '../../../../tests/support/until.ts';
import { messageParser, readStream } from './stream-reader.ts';

const message = (position: string, ...payloads: unknown[]): EventMessage => ({
  position,
  events: payloads.map((payload) => ({ topic: 'news', payload })),
});
const written = (one: EventMessage) => `id: ${one.position}\ndata: ${JSON.stringify(one)}\n\n`;

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
let answers: Answer[];
/** What each request continued from. */
let asked: (string | undefined)[];
const server = createServer((request, response) => {
  asked.push(request.headers['last-event-id']?.toString());
  (answers.shift() ?? ((_, late) => void late.writeHead(403).end()))(request, response);
});

beforeEach(async () => {
  answers = [];
  asked = [];
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { fetch } = globalThis;
  vi.stubGlobal('fetch', (path: string, options: RequestInit) =>
    fetch(`http://127.0.0.1:${port}${path}`, options),
  );
  // Waits are as short as they may be.
  vi.spyOn(Math, 'random').mockReturnValue(-0.99);
});
afterEach(async () => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

function read(signal = new AbortController().signal) {
  const messages: EventMessage[] = [];
  const ended = readStream({
    topics: ['news', 'orders:42'],
    position: () => messages.at(-1)?.position,
    onMessage: (one) => messages.push(one),
    reachable: async () => {},
    signal,
  });
  return { messages, ended };
}

it('puts messages together from pieces of any size', () => {
  const text = `retry: 2000\n\n${written(message('1', 'a'))}:\n\n${written(message('2', 'b\n\nc'))}`;
  for (const size of [1, 2, 7, text.length]) {
    const parse = messageParser();
    const found: EventMessage[] = [];
    for (let at = 0; at < text.length; at += size) found.push(...parse(text.slice(at, at + size)));
    expect(found).toEqual([message('1', 'a'), message('2', 'b\n\nc')]);
  }
});

it('continues after an end, a cut in the middle of a message, and a server that is overloaded', async () => {
  answers = [
    (_, response) => void response.end(written(message('1', 'a'))),
    (_, response) => {
      response.write(written(message('2', 'b')));
      response.write('data: {"posi', () => setTimeout(() => response.destroy(), 20));
    },
    (_, response) => void response.writeHead(503).end('{}'),
    (_, response) => void response.writeHead(429).end('{}'),
    (_, response) => void response.end(written(message('3', 'c'))),
  ];
  const { messages, ended } = read();
  await ended;
  expect(messages.map(({ position }) => position)).toEqual(['1', '2', '3']);
  // The last one was refused, which is the end.
  expect(asked).toEqual([undefined, '1', '2', '2', '2', '3']);
});

it('ends when it is told to', async () => {
  answers = [(_, response) => void response.write(written(message('1', 'a')))];
  const enough = new AbortController();
  const { messages, ended } = read(enough.signal);
  await until('a message', () => messages.length === 1);
  enough.abort();
  await ended;
  expect(asked).toHaveLength(1);
});

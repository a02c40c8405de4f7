import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyReply } from 'fastify';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { until } from '../../../tests/support/until.ts';
import { Lifecycle } from '../health/lifecycle.ts';
import { draining } from './draining.ts';
import { type EventStream, encodeEvent, events, HEARTBEAT_MS } from './event-stream.ts';

const app = Fastify();
let address: string;
let handle: (reply: FastifyReply) => unknown;

beforeAll(async () => {
  await app.register(draining, { lifecycle: new Lifecycle([]) });
  app.get('/', async (_request, reply) => void (await handle(reply)));
  await app.listen({ port: 0, host: '127.0.0.1' });
  address = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
});
afterAll(() => app.close());
afterEach(() => vi.useRealTimers());

async function listen(): Promise<{ response: IncomingMessage; text: () => string }> {
  const [response] = (await once(get(address, { agent: false }), 'response')) as [IncomingMessage];
  let text = '';
  response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  response.on('error', () => {});
  return { response, text: () => text };
}

it('sends events that cannot be mistaken for others', async () => {
  handle = (reply) => {
    const stream = events(reply);
    stream.send({ data: 'one\n\nevent: two' });
    stream.send({ event: 'named', id: '7', data: { a: undefined, b: [1] } });
    stream.send({ data: undefined });
    stream.end();
    stream.send({ data: 'too late' });
  };
  const { response, text } = await listen();
  await once(response, 'end');
  expect(text().replace(/^retry: [23]\d{3}\n\n/, '')).toBe(
    'data: "one\\n\\nevent: two"\n\nevent: named\nid: 7\ndata: {"b":[1]}\n\ndata: null\n\n',
  );
  for (const wrong of [{ event: 'a\nb' }, { id: 'a\rb' }, { id: 'a\0b' }]) {
    expect(() => encodeEvent({ ...wrong, data: 1 })).toThrow(TypeError);
  }
});

it('says a word now and then, and stops when the client leaves', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  let stream: EventStream | undefined;
  handle = (reply) => {
    stream = events(reply);
  };
  const { response, text } = await listen();
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(HEARTBEAT_MS);
  await until('a word', () => text().endsWith('\n:\n\n'));
  response.destroy();
  await until('its end', () => stream?.closed.aborted);
  expect(vi.getTimerCount()).toBe(0);
});

it('is closed from the beginning where the client has left before', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const opened = Promise.withResolvers<EventStream>();
  handle = async (reply) => {
    request.destroy();
    await once(reply.raw, 'close');
    opened.resolve(events(reply));
  };
  const request = get(address, { agent: false }).on('error', () => {});
  const stream = await opened.promise;
  stream.send({ data: 1 });
  stream.end();
  expect(stream.closed.aborted).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

it('closes a client that does not read', async () => {
  const much = encodeEvent({ data: 'x'.repeat(256 * 1_024) });
  let stream: EventStream | undefined;
  handle = (reply) => {
    stream = events(reply);
  };
  const { response } = await listen();
  response.pause();
  await until('its end', () => {
    stream?.send(much);
    return stream?.closed.aborted;
  });
});

it('does not wait for long, when it ends, for a client that does not read', async () => {
  const much = encodeEvent({ data: 'x'.repeat(512 * 1_024) });
  let stream: EventStream | undefined;
  let filling: NodeJS.Timeout | undefined;
  const unread = Promise.withResolvers<number>();
  handle = (reply) => {
    const opened = events(reply);
    stream = opened;
    // Until the system has taken nothing for a while.
    let idle = 0;
    filling = setInterval(() => {
      if (reply.raw.writableLength > 0) idle += 1;
      else {
        idle = 0;
        opened.send(much);
      }
      if (idle === 50) unread.resolve(reply.raw.writableLength);
    }, 5);
  };
  const { response } = await listen();
  response.pause();
  expect(await unread.promise).toBeGreaterThan(0);
  clearInterval(filling);
  expect(stream?.closed.aborted).toBe(false);
  stream?.end();
  await until('its end', () => stream?.closed.aborted);
});

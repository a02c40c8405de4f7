import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { openRaw, type RawConnection } from '../../../tests/support/raw-http.ts';
import { BodyBudget, bodyBudget } from './body-budget.ts';
import { jsonBodies } from './json-bodies.ts';
import { shedCounts } from './overload.ts';
import { problems } from './problems.ts';

const KIB = 1_024;
const LIMIT = 100 * KIB;
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Scene {
  app: FastifyInstance;
  /** Opens a connection and sends the beginning of a request. */
  send(text: string): Promise<RawConnection>;
  /** Lets the handlers of `/wait` answer. */
  goOn(): void;
  lines: Record<string, unknown>[];
}

async function start(limitBytes = LIMIT): Promise<Scene> {
  const gate = Promise.withResolvers<string>();
  const lines: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => lines.push(JSON.parse(line)) };
  const app = Fastify({
    bodyLimit: 64 * KIB,
    forceCloseConnections: true,
    logger: { level: 'warn', stream },
  });
  ends.push(async () => await app.close());
  app.decorate('overload', { shed: shedCounts() });
  await app.register(problems);
  await app.register(bodyBudget, { limitBytes });
  await app.register(jsonBodies);
  app.post('/', async ({ body }) => ({ length: (body as string).length }));
  app.post('/wait', () => gate.promise);
  app.get('/', async () => 'hello');
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  app.post('/upload', { config: { streamsBody: true }, bodyLimit: 2 ** 30 }, async ({ body }) => {
    let length = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) length += chunk.length;
    return { length };
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const send = async (text: string) => {
    const connection = await openRaw(url);
    ends.push(async () => await connection[Symbol.asyncDispose]());
    connection.socket.write(text);
    return connection;
  };
  return { app, send, goOn: () => gate.resolve('over'), lines };
}

const head = (length: number | 'chunked', path = '/', type = 'application/json', more = '') =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\n${more}` +
  `${length === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`}\r\n\r\n`;
const json = (length: number) => JSON.stringify('x'.repeat(length - 2));
const usedBy = (app: FastifyInstance) => expect.poll(() => app.bodyBudget.used);

describe('the memory for bodies', () => {
  it('is reserved while a body is under way, and given back with the answer, a reset or a refusal', async () => {
    const { app, send, goOn } = await start();
    const waiting = await send(head(1_000, '/wait') + json(1_000));
    await usedBy(app).toBe(1_000);
    const half = await send(`${head(2_000)}"`);
    await usedBy(app).toBe(3_000);
    // Answered in order, so that the second waits for the first and both end without an answer.
    const pipelined = await send((head(1_000, '/wait') + json(1_000)).repeat(2));
    await usedBy(app).toBe(5_000);
    pipelined.socket.resetAndDestroy();
    await usedBy(app).toBe(3_000);
    half.socket.resetAndDestroy();
    await usedBy(app).toBe(1_000);
    goOn();
    expect((await waiting.answer()).status).toBe(200);
    await usedBy(app).toBe(0);
    expect((await (await send(head(70 * KIB))).answer()).status).toBe(413);
    await usedBy(app).toBe(0);
    expect((await (await send(head('chunked', '/', 'text/plain'))).answer()).status).toBe(415);
    await usedBy(app).toBe(0);
  });

  it('refuses what does not fit with 503 before it is read, counts it and says so once', async () => {
    const { app, send, lines } = await start();
    await send(head(60 * KIB));
    await usedBy(app).toBe(60 * KIB);
    // Nobody takes all of it, and a chunked body may be as long as its route allows.
    for (const length of [20 * KIB, 'chunked'] as const) {
      const answer = await (await send(head(length))).answer();
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
      expect(JSON.parse(answer.body).type).toBe('/problems/unavailable');
    }
    expect(app.overload.shed['body-memory']).toBe(2);
    expect(app.bodyBudget.sinceRefusalMs()).toBeLessThan(10_000);
    expect(lines.map(({ msg }) => msg)).toEqual([expect.stringContaining('BODY_MEMORY_BYTES')]);
    // Without a body nothing is refused.
    expect((await (await send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).answer()).status).toBe(200);
  });

  // Other systems have to be told first that all of 127/8 is theirs.
  it.runIf(process.platform === 'linux')('is not filled by four addresses', async () => {
    const { app, send } = await start(4 * 2 ** 20);
    const { port } = app.server.address() as AddressInfo;
    for (let n = 0; n < 160; n++) {
      const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.7.${1 + (n % 4)}` });
      ends.push(async () => socket.destroy());
      socket.on('error', () => {}).write(`${head(60 * KIB)}"`);
    }
    await expect.poll(() => app.overload.shed['body-memory']).toBeGreaterThan(60);
    expect((await (await send(head(20 * KIB) + json(20 * KIB))).answer()).status).toBe(200);
  });

  it('does not count what a route passes on as it comes', async () => {
    const { app, send } = await start();
    const length = 8 * 2 ** 20;
    const upload = await send(head(length, '/upload', 'application/octet-stream'));
    await usedBy(app).toBe(128 * KIB);
    upload.socket.write(Buffer.alloc(length));
    expect(JSON.parse((await upload.answer()).body)).toEqual({ length });
  });

  it('is asked before a client is told to go on', async () => {
    const { send } = await start();
    const expecting = (length: number) => head(length, '/', 'application/json', 'Expect: 100-continue\r\n');
    const first = await send(expecting(60 * KIB));
    const [go] = await once(first.socket, 'data');
    expect(String(go)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    for (const [length, status] of [
      [20 * KIB, 503],
      [70 * KIB, 413],
    ] as const) {
      const refused = await send(expecting(length));
      const answer = await refused.answer();
      expect(answer.status).toBe(status);
      expect(answer.headers.get('connection')).toBe('close');
      await refused.closed;
    }
  });
});

it('tells no client of HTTP/1.0 to go on, which knows no such answer', async () => {
  const { send } = await start();
  const text = json(1_000);
  const first = head(1_000, '/', 'application/json', 'Expect: 100-continue\r\n').replace('1.1', '1.0');
  expect((await (await send(first + text)).answer()).status).toBe(200);
});

describe('a body', () => {
  it.each([
    ['in one piece', (text: string) => [text]],
    ['in small and large pieces', (text: string) => text.match(/.{5000}|.{1,10}/g) ?? []],
    ['byte by byte', (text: string) => [...text]],
  ])('that comes %s is read whole', async (_how, split) => {
    const { send } = await start();
    const text = json(20 * KIB);
    const chunks = split(text).map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
    const answer = await (await send(`${head('chunked') + chunks.join('')}0\r\n\r\n`)).answer();
    expect(JSON.parse(answer.body)).toEqual({ length: text.length - 2 });
  });

  it('that is longer than its route takes is refused, announced or not', async () => {
    const { send } = await start();
    const piece = json(10 * KIB);
    const chunk = `${piece.length.toString(16)}\r\n${piece}\r\n`;
    expect((await (await send(head('chunked') + chunk.repeat(7))).answer()).status).toBe(413);
    expect((await (await send(head(70 * KIB))).answer()).status).toBe(413);
  });

  it('of unknown length is refused where nothing reads it', async () => {
    const { send } = await start();
    const answer = await (
      await send('GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    ).answer();
    expect([answer.status, answer.headers.get('connection')]).toEqual([400, 'close']);
  });
});

describe('the budget', () => {
  it('keeps the last quarter for small bodies', () => {
    const budget = new BodyBudget(1_000 * KIB);
    for (let client = 0; client < 3; client++) expect(budget.take(`${client}`, 250 * KIB)).toBe(true);
    expect(budget.take('3', 17 * KIB)).toBe(false);
    expect(budget.take('3', 16 * KIB)).toBe(true);
    expect(budget.used).toBe(766 * KIB);
  });

  it('gives no client more than a quarter of what others leave, but for one body', () => {
    const budget = new BodyBudget(1_000 * KIB);
    expect(budget.take('a', 600 * KIB)).toBe(true);
    expect(budget.take('a', 1)).toBe(false);
    expect(budget.take('b', 100 * KIB)).toBe(true);
    budget.give('a', 600 * KIB);
    // Of the 750 KiB for large bodies, b leaves 650.
    expect(budget.take('a', 100 * KIB)).toBe(true);
    expect(budget.take('a', 63 * KIB)).toBe(false);
    expect(budget.take('a', 62 * KIB)).toBe(true);
  });

  it('is not filled by a few clients', () => {
    const budget = new BodyBudget(32 * KIB * KIB);
    for (let client = 0; client < 16; client++) while (budget.take(`${client}`, 128 * KIB));
    expect(budget.take('visitor', 128 * KIB)).toBe(true);
  });

  it('takes one body that is larger than all of it', () => {
    const budget = new BodyBudget(1_000);
    expect(budget.take('a', 10_000)).toBe(true);
    expect(budget.take('b', 1)).toBe(false);
    budget.give('a', 10_000);
    expect(budget.used).toBe(0);
    expect(budget.take('b', 1)).toBe(true);
  });
});

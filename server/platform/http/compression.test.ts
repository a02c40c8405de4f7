import { Readable } from 'node:stream';
import zlib from 'node:zlib';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { compression } from './compression.ts';

const LARGE = { items: Array.from({ length: 100 }, (_, id) => ({ id, title: 'A title like any other' })) };
const TEXT = JSON.stringify(LARGE);
const READ = { br: zlib.brotliDecompressSync, zstd: zlib.zstdDecompressSync, gzip: zlib.gunzipSync };

let app: FastifyInstance;
beforeAll(async () => {
  app = Fastify();
  await app.register(compression);
  const config = { compress: true };
  app.get('/large', { config }, async (_request, reply) => reply.header('etag', '"3"').send(LARGE));
  app.get('/small', { config }, async () => ({ few: 'words' }));
  app.get('/stream', { config }, async (_request, reply) =>
    reply.type('text/csv').send(Readable.from([TEXT])),
  );
  app.get('/events', { config }, async (_request, reply) =>
    reply.type('text/event-stream').send(Readable.from([`data: ${'x'.repeat(2_000)}\n\n`])),
  );
  app.get('/image', { config }, async (_request, reply) => reply.type('image/png').send(Buffer.alloc(2_000)));
  app.get('/done', { config }, async (_request, reply) =>
    reply.type('text/plain').header('content-encoding', 'gzip').send(zlib.gzipSync(TEXT)),
  );
  app.get('/empty', { config }, async (_request, reply) => reply.code(204).send());
  app.get('/unasked', async () => LARGE);
});
afterAll(() => app.close());

const get = (
  url: string,
  headers: Record<string, string> = { 'accept-encoding': 'gzip, deflate, br, zstd' },
) => app.inject({ url, headers });

it.each(['br', 'zstd', 'gzip'] as const)(
  'a large answer and a stream are compressed with %s',
  async (encoding) => {
    for (const url of ['/large', '/stream']) {
      const answer = await get(url, { 'accept-encoding': encoding });
      expect(answer.headers).toMatchObject({ 'content-encoding': encoding, vary: 'accept-encoding' });
      expect(answer.rawPayload.length).toBeLessThan(TEXT.length / 4);
      expect(READ[encoding](answer.rawPayload).toString()).toBe(TEXT);
    }
  },
);

it('the tag of a compressed answer is weak, and strong otherwise', async () => {
  expect((await get('/large')).headers.etag).toBe('W/"3"');
  expect((await get('/large', {})).headers.etag).toBe('"3"');
});

it('a package that could not be loaded is loaded for the next answer', async () => {
  vi.resetModules();
  vi.doMock('@fastify/compress', () => {
    throw new Error('EMFILE: too many open files');
  });
  const { compression: fresh } = await import('./compression.ts');
  await using own = Fastify();
  await own.register(fresh);
  own.get('/large', { config: { compress: true } }, async () => LARGE);
  const answer = () => own.inject({ url: '/large', headers: { 'accept-encoding': 'gzip' } });
  expect((await answer()).statusCode).toBe(500);
  vi.doUnmock('@fastify/compress');
  expect((await answer()).headers['content-encoding']).toBe('gzip');
});

describe('are not compressed:', () => {
  it.each([
    ['small answers', '/small', 'gzip'],
    ['answers of routes that do not ask for it', '/unasked', 'gzip'],
    ['event streams', '/events', 'gzip'],
    ['pictures', '/image', 'gzip'],
    ['answers to clients that accept identity alone', '/large', 'identity'],
    ['answers to clients that refuse every encoding', '/large', 'gzip;q=0, br;q=0'],
    ['answers to clients with a malformed header', '/large', ';;,q=br'],
    ['answers without a body', '/empty', 'gzip'],
  ])('%s', async (_what, url, taken) => {
    expect((await get(url, { 'accept-encoding': taken })).headers).not.toHaveProperty('content-encoding');
  });

  it('answers to requests with x-no-compression', async () => {
    const answer = await get('/large', { 'accept-encoding': 'gzip', 'x-no-compression': '1' });
    expect(answer.headers).not.toHaveProperty('content-encoding');
    expect(answer.body).toBe(TEXT);
  });

  it('answers that are compressed already', async () => {
    const { rawPayload } = await get('/done', { 'accept-encoding': 'br, gzip' });
    expect(zlib.gunzipSync(rawPayload).toString()).toBe(TEXT);
  });
});

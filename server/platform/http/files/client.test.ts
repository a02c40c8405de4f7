import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import zlib from 'node:zlib';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problems } from '../problems.ts';
import { client } from './client.ts';

const CSS = Buffer.from('.row { color: #123456; } /* a line that comes again and again */\n'.repeat(80));
const ENDINGS = { br: '.br', zstd: '.zst', gzip: '.gz' } as const;
const COMPRESS = { br: zlib.brotliCompressSync, zstd: zlib.zstdCompressSync, gzip: zlib.gzipSync };
const READ = {
  br: zlib.brotliDecompressSync,
  zstd: zlib.zstdDecompressSync,
  gzip: zlib.gunzipSync,
  identity: (body: Buffer) => body,
};

let folder: string;
let app: FastifyInstance;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'client-'));
  await mkdir(join(folder, 'assets'));
  for (const [file, text] of [
    ['index.html', '<!doctype html><title>the page</title>'],
    ['assets/main-a1b2.js', 'export {};'],
    ['assets/main-a1b2.js.map', '{}'],
    ['robots.txt', 'User-agent: *'],
    ['logo.bin', 'x'],
    ['.env', 'SECRET=1'],
  ] as const) {
    await writeFile(join(folder, file), text);
  }
  await writeFile(join(folder, 'assets/big-c3d4.css'), CSS);
  for (const [encoding, ending] of Object.entries(ENDINGS)) {
    await writeFile(join(folder, `assets/big-c3d4.css${ending}`), COMPRESS[encoding as 'br'](CSS));
  }
  app = Fastify();
  await app.register(problems);
  app.get('/api/things', async () => []);
  await app.register(client, { folder });
});
afterAll(async () => {
  await app.close();
  await rm(folder, { recursive: true });
});

const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

describe('the page', () => {
  it.each(['/', '/notes', '/notes/5/edit?tab=1', '/apiary', '/index.html'])('is at %s', async (url) => {
    const answer = await app.inject({ url, headers: HTML });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
    });
    expect(answer.body).toContain('the page');
  });

  it('is at / for who accepts anything or says nothing, as health checks of platforms do', async () => {
    expect((await app.inject({ url: '/', headers: { accept: '*/*' } })).statusCode).toBe(200);
    expect((await app.inject('/')).statusCode).toBe(200);
  });

  it.each([
    ['/assets/gone-ffff.js', HTML],
    ['/favicon.png', HTML],
    ['/api/nothing', HTML],
    ['/api', HTML],
    ['/notes', { accept: 'application/json' }],
    ['/assets/main-a1b2.js.map', HTML],
    ['/.env', HTML],
    ['/.git/config', HTML],
    ['/notes/.hidden/x', HTML],
    ['/../package.json', HTML],
    ['/%2e%2e/%2e%2e/package.json', HTML],
    ['/assets/..%2findex.html', HTML],
    ['/notes%2f..%2f..%2fetc', HTML],
    ['/notes%5c..%5cetc', HTML],
    ['/notes/%00', HTML],
    ['//../../etc/passwd.txt', HTML],
    ['/.well-known/nothing', HTML],
    ['/%252e%252e%252fetc.', HTML],
    ['/assets/big-c3d4.css.br', HTML],
    ['/assets/big-c3d4.css.gz', HTML],
    ['/ASSETS/BIG-C3D4.CSS', HTML],
  ])('is not at %s', async (url, headers) => {
    const answer = await app.inject({ url, headers });
    expect(answer.statusCode).toBe(404);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      'cache-control': 'no-store',
    });
  });

  it('is not posted to', async () => {
    const answer = await app.inject({ method: 'POST', url: '/' });
    expect(answer.statusCode).toBe(405);
    expect(answer.headers.allow).toBe('GET, HEAD');
  });
});

describe('a file', () => {
  it('under assets/ is kept for ever, since its name changes with it', async () => {
    const { headers, body } = await app.inject('/assets/main-a1b2.js');
    expect(headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
    });
    expect(body).toBe('export {};');
  });

  it.each([
    ['/robots.txt', 'text/plain; charset=utf-8'],
    ['/logo.bin', 'application/octet-stream'],
  ])('%s elsewhere is asked for again each time', async (url, type) => {
    const { headers } = await app.inject(url);
    expect(headers).toMatchObject({ 'content-type': type, 'cache-control': 'no-cache' });
  });

  it('that is known is not sent again', async () => {
    const { etag } = (await app.inject('/robots.txt')).headers as { etag: string };
    for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await app.inject({ url: '/robots.txt', headers: { 'if-none-match': tags } });
      expect([answer.statusCode, answer.body, answer.headers.etag]).toEqual([304, '', etag]);
    }
    const answer = await app.inject({ url: '/robots.txt', headers: { 'if-none-match': '"other"' } });
    expect(answer.statusCode).toBe(200);
  });

  it('is described without its body for HEAD', async () => {
    const answer = await app.inject({ method: 'HEAD', url: '/robots.txt' });
    expect([answer.statusCode, answer.body, answer.headers['content-length']]).toEqual([200, '', '13']);
  });
});

it('names the remedy where nothing was built', async () => {
  await expect(Fastify().register(client, { folder: join(folder, 'nowhere') })).rejects.toThrow(
    /index\.html is missing\. Run: npm run build/,
  );
});

describe('a file that the build has compressed', () => {
  const get = (
    encoding: string | undefined,
    headers: Record<string, string> = {},
    method: 'GET' | 'HEAD' = 'GET',
  ) =>
    app.inject({
      method,
      url: '/assets/big-c3d4.css',
      headers: { ...headers, ...(encoding === undefined ? {} : { 'accept-encoding': encoding }) },
    });

  it.each<[string | undefined, keyof typeof READ]>([
    ['br', 'br'],
    ['zstd', 'zstd'],
    ['gzip', 'gzip'],
    ['GZIP;q=0.5', 'gzip'],
    ['gzip, br;q=0', 'gzip'],
    ['gzip;q=0.000, deflate', 'identity'],
    ['deflate', 'identity'],
    ['identity', 'identity'],
    ['', 'identity'],
    [',,;;q=,', 'identity'],
    [undefined, 'identity'],
  ])('comes to who takes %j as %s', async (taken, encoding) => {
    const answer = await get(taken);
    expect(answer.headers['content-encoding'] ?? 'identity').toBe(encoding);
    expect(answer.headers).toMatchObject({
      vary: 'Accept-Encoding',
      'content-type': 'text/css; charset=utf-8',
      'content-length': String(answer.rawPayload.length),
    });
    expect(READ[encoding](answer.rawPayload).equals(CSS)).toBe(true);
  });

  it('comes in its smallest form to who takes all', async () => {
    const sizes = Object.values(COMPRESS).map((compress) => compress(CSS).length);
    for (const all of ['gzip, deflate, br, zstd', '*']) {
      expect((await get(all)).rawPayload.length).toBe(Math.min(...sizes));
    }
  });

  it.each(['br', 'zstd', 'gzip', 'identity'])(
    'is not sent again in %s, and has a tag of its own',
    async (encoding) => {
      const { etag, 'last-modified': since } = (await get(encoding)).headers as Record<string, string>;
      const others = await Promise.all(
        ['br', 'zstd', 'gzip', 'identity'].filter((one) => one !== encoding).map((one) => get(one)),
      );
      expect(others.map(({ headers }) => headers.etag)).not.toContain(etag);
      const conditions: Record<string, string>[] = [
        { 'if-none-match': etag as string },
        { 'if-modified-since': since as string },
      ];
      for (const known of conditions) {
        const answer = await get(encoding, known);
        expect([answer.statusCode, answer.body]).toEqual([304, '']);
        expect(answer.headers).toMatchObject({ etag, vary: 'Accept-Encoding' });
        expect(answer.headers['cache-control']).toMatch(/immutable/);
        expect(answer.headers).not.toHaveProperty('content-length');
      }
    },
  );

  it('is sent again to who knows an older one, and a tag weighs more than a time', async () => {
    const { 'last-modified': since } = (await get('br')).headers as Record<string, string>;
    const earlier = new Date(Date.parse(since as string) - 1_000).toUTCString();
    expect((await get('br', { 'if-modified-since': earlier })).statusCode).toBe(200);
    expect((await get('br', { 'if-modified-since': 'no date' })).statusCode).toBe(200);
    const both = { 'if-modified-since': since as string, 'if-none-match': '"other"' };
    expect((await get('br', both)).statusCode).toBe(200);
  });

  it('is described without its body for HEAD, in each encoding', async () => {
    for (const encoding of ['br', 'identity']) {
      const [head, whole] = [await get(encoding, {}, 'HEAD'), await get(encoding)];
      expect([head.statusCode, head.body]).toEqual([200, '']);
      for (const name of ['content-length', 'etag', 'content-encoding', 'vary', 'last-modified']) {
        expect(head.headers[name]).toBe(whole.headers[name]);
      }
    }
  });

  it.each([
    ['bytes=0-9', 0, 10],
    ['bytes=10-', 10, CSS.length],
    ['bytes=-5', CSS.length - 5, CSS.length],
    ['bytes=-999999', 0, CSS.length],
    [`bytes=5-${CSS.length + 100}`, 5, CSS.length],
  ])('comes in part for %s, of its plain bytes', async (range, from, to) => {
    const answer = await get('br', { range });
    expect(answer.statusCode).toBe(206);
    expect(answer.headers['content-range']).toBe(`bytes ${from}-${to - 1}/${CSS.length}`);
    expect(answer.headers).not.toHaveProperty('content-encoding');
    expect(answer.rawPayload.equals(CSS.subarray(from, to))).toBe(true);
  });

  it.each(['bytes=999999-', 'bytes=-0', `bytes=${CSS.length}-`])('has nothing at %s', async (range) => {
    const answer = await get(undefined, { range });
    expect(answer.statusCode).toBe(416);
    expect(answer.headers['content-range']).toBe(`bytes */${CSS.length}`);
    expect(answer.json().type).toBe('/problems/range-not-satisfiable');
  });

  it.each(['bytes=9-0', 'bytes=0-1,5-6', 'bytes=-', 'bytes=x-y', 'lines=1-2', 'bytes=0-9999999999999999'])(
    'comes whole for %s',
    async (range) => expect((await get(undefined, { range })).statusCode).toBe(200),
  );

  it('goes on only where it is still the same', async () => {
    const { etag, 'last-modified': since } = (await get('identity')).headers as Record<string, string>;
    const statusOf = async (ifRange: string) =>
      (await get('br', { range: 'bytes=0-9', 'if-range': ifRange })).statusCode;
    expect(await statusOf(etag as string)).toBe(206);
    expect(await statusOf(since as string)).toBe(206);
    expect(await statusOf('"other"')).toBe(200);
    expect(await statusOf(`W/${etag}`)).toBe(200);
  });
});

describe.each([
  ['a large file', { maxFileBytes: 100 }],
  ['what is too much together', { maxTotalBytes: 100 }],
])('%s', (_what, limits) => {
  let streamed: FastifyInstance;
  beforeAll(async () => {
    streamed = Fastify();
    await streamed.register(problems);
    await streamed.register(client, { folder, ...limits });
  });
  afterAll(() => streamed.close());
  const get = (headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
    streamed.inject({ method, url: '/assets/big-c3d4.css', headers });

  it('is streamed with the same headers, whole, in part and not at all', async () => {
    const whole = await get();
    expect(whole.rawPayload.equals(CSS)).toBe(true);
    expect(whole.headers).toMatchObject({
      'content-type': 'text/css; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
    });
    const { etag } = whole.headers as { etag: string };
    const known = await get({ 'if-none-match': etag });
    expect([known.statusCode, known.body]).toEqual([304, '']);
    const part = await get({ range: 'bytes=0-9' });
    expect([part.statusCode, part.rawPayload.length]).toEqual([206, 10]);
    const head = await get({}, 'HEAD');
    expect([head.body, head.headers['content-length']]).toEqual(['', String(CSS.length)]);
  });

  it.each(['br', 'gzip'] as const)('is streamed in %s', async (encoding) => {
    const answer = await get({ 'accept-encoding': encoding });
    expect(answer.headers['content-encoding']).toBe(encoding);
    expect(READ[encoding](answer.rawPayload).equals(CSS)).toBe(true);
  });

  it('lets the page stay in memory', async () => {
    expect((await streamed.inject('/')).body).toContain('the page');
  });
});

it('does not answer addresses without end', async () => {
  const answer = await app.inject({ url: `/${'a/'.repeat(1_100)}`, headers: HTML });
  expect([answer.statusCode, answer.json().type]).toEqual([414, '/problems/uri-too-long']);
});

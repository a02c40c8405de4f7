import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { client } from './client.ts';
import { problems } from './problems.ts';

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

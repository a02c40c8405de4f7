/** What `npm run dev` answers to strangers: it listens on all addresses in a Replit workspace and in a dev container. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyForDevelopment, removeCopy, startDevelopment } from './support/development.ts';
import { createDatabase, type TestDatabase } from './support/postgres.ts';
import { openRaw, sendRaw } from './support/raw-http.ts';
import type { SpawnedServer } from './support/server.ts';
import { QUERIES, spellings } from './support/spellings.ts';

/** Stands in every file that no stranger may read. */
const SECRET = 'kept-from-strangers';
/** What a refusal of Vite's says, which tells which files there are. */
const TELLTALE = 'outside of Vite serving allow list';

/** By their paths from the clone; a stranger knows all of them but the first part. */
const KEPT = [
  '.data/secrets.json',
  '.data/postgres/settings.json',
  '.env',
  '.git/config',
  'server/kept.ts',
  'server/kept.css',
  'package.json',
  'vite.config.ts',
  'client/.env',
  'client/src/.kept/kept.ts',
  'contracts/.kept.ts',
  'client/src/link.json',
  'client/public/link.json',
  'client/src/linked/secrets.json',
  'node_modules/.package-lock.json',
  'node_modules/.node/kept.js',
];
const AGENT = new Agent({ keepAlive: true, maxSockets: 16 });

let copy: string;
let database: TestDatabase;
let server: SpawnedServer;

beforeAll(async () => {
  copy = await copyForDevelopment();
  for (const path of KEPT) {
    const file = join(copy, path);
    if (/link|package\.json|vite\.config/.test(path)) continue;
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, path.endsWith('.css') ? `/* ${SECRET} */` : `export const kept = '${SECRET}';\n`);
  }
  // Extra keys and comments change nothing for those who read these two.
  const manifest = JSON.parse(await readFile(join(copy, 'package.json'), 'utf8'));
  await writeFile(join(copy, 'package.json'), JSON.stringify({ ...manifest, kept: SECRET }));
  const config = join(copy, 'vite.config.ts');
  await writeFile(config, `${await readFile(config, 'utf8')}// ${SECRET}\n`);
  await writeFile(join(copy, '.env'), `KEPT=${SECRET}\n`);
  await writeFile(join(copy, '.data/secrets.json'), JSON.stringify({ KEPT: SECRET }));
  await symlink(join(copy, '.data/secrets.json'), join(copy, 'client/src/link.json'));
  await symlink(join(copy, '.data/secrets.json'), join(copy, 'client/public/link.json'));
  await symlink(join(copy, '.data'), join(copy, 'client/src/linked'), 'junction');
  await writeFile(join(copy, 'editor.sh'), `#!/bin/sh\ntouch ${join(copy, 'editor-started')}\n`);
  await chmod(join(copy, 'editor.sh'), 0o755);
  database = await createDatabase();
  server = await startDevelopment(copy, database.url, {
    HOST: '0.0.0.0',
    LAUNCH_EDITOR: join(copy, 'editor.sh'),
    KEPT_VARIABLE: SECRET,
  });
  await server.ready();
});

afterAll(async () => {
  AGENT.destroy();
  await server?.[Symbol.asyncDispose]();
  await database?.drop();
  await removeCopy(copy);
});

/** Asks for the path as it stands: `fetch` would tidy it up. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number;
    headers: Record<string, string | string[] | undefined>;
    body: string;
  }>();
  const { port } = server;
  const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: AGENT }, (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (chunk) => (body += chunk));
    response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
  });
  asked.on('error', reject).end();
  return promise;
}

describe('files', () => {
  const others: [string, string, RegExp][] = [
    ['/etc/passwd', '../../../../../../../../etc/passwd', /root:x:0/],
    ['/proc/self/environ', '../../../../../../../../proc/self/environ', new RegExp(SECRET)],
  ];
  const cases: [string, (copy: string) => string, string, RegExp][] = [
    ...KEPT.map((path): [string, (copy: string) => string, string, RegExp] => [
      path,
      (copy) => join(copy, path),
      path,
      new RegExp(SECRET),
    ]),
    ...others.map(([path, up, sign]): [string, (copy: string) => string, string, RegExp] => [
      path,
      () => path,
      up,
      sign,
    ]),
  ];
  it.each(cases)('%s is not answered, however it is asked for', async (_, file, from, sign) => {
    const answered: string[] = [];
    const one = async (path: string, headers: Record<string, string>) => {
      const { status, body } = await ask(path, headers).catch(() => ({ status: 0, body: '' }));
      // In a source map it stands encoded.
      const maps = [...body.matchAll(/base64,([A-Za-z0-9+/=]+)/g)].map(([, data = '']) =>
        Buffer.from(data, 'base64').toString(),
      );
      if ([body, ...maps].some((text) => sign.test(text) || text.includes(TELLTALE)))
        answered.push(`${status} ${path}`);
    };
    for (const path of spellings(copy, from, file(copy))) {
      await Promise.all(
        QUERIES.flatMap((query) => [
          one(path + query, { accept: '*/*' }),
          one(path + query, { accept: 'text/css,*/*', 'sec-fetch-dest': 'script' }),
        ]),
      );
    }
    expect(answered).toEqual([]);
  });

  it('are answered where the client needs them', async () => {
    const page = await ask('/some/screen', { accept: 'text/html' });
    expect(page.status).toBe(200);
    const seen = new Set<string>();
    const pending = [...page.body.matchAll(/(?:src|href|from )="?(\/[^"]+)"/g)].map(([, path = '']) => path);
    expect(pending).toContain('/src/main.tsx');
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      if (seen.has(path)) continue;
      seen.add(path);
      const { status, body } = await ask(path, { accept: '*/*' });
      expect(`${status} ${path}`).toBe(`200 ${path}`);
      for (const [, imported = ''] of body.matchAll(/(?:from |import |import\()"(\/[^"]+)"/g))
        pending.push(imported);
    }
    const all = [...seen].join('\n');
    for (const one of ['/@vite/client', '/@react-refresh', '/src/kit/', 'node_modules/.vite/deps/'])
      expect(all).toContain(one);
  });
});

it('starts no editor for a stranger', async () => {
  const query = `?file=${encodeURIComponent(join(copy, 'client/src/main.tsx'))}`;
  const spellings = [
    '/__open-in-editor',
    '/__OPEN-IN-EDITOR',
    '/__open-in-editor/',
    '/__open-in-editor/x',
    '/__open-in-editor.js',
    '/%5f%5fopen-in-editor',
    '//__open-in-editor',
    '/src/../__open-in-editor',
    'http://localhost/__open-in-editor',
  ];
  for (const path of spellings) {
    expect((await ask(path + query, { accept: '*/*' })).status, path).toBe(404);
  }
  expect((await ask(`/__open-in-editor${query}`, { accept: 'text/html' })).status).toBe(404);
  // Whatever had been started would have come to an end before this page is made.
  await ask('/', { accept: 'text/html' });
  expect(existsSync(join(copy, 'editor-started'))).toBe(false);
});

describe('host names', () => {
  it.each([
    ['localhost', 200],
    ['LOCALHOST:5000', 200],
    ['localhost.', 200],
    ['app.localhost:5000', 200],
    ['127.0.0.1:5000', 200],
    ['[::1]:5000', 200],
    ['evil.example', 421],
    ['localhost.evil.example', 421],
    ['evillocalhost', 421],
    ['192.0.2.7', 421],
    ['[2001:db8::1]', 421],
    ['localhost@evil.example', 421],
  ])("a page under '%s' is answered %i, as is a script", async (host, status) => {
    const page = await ask('/', { host, accept: 'text/html' });
    expect(page.status).toBe(status);
    if (status !== 200) expect(page.body).toContain('ALLOWED_HOSTS');
    expect((await ask('/api/status', { host })).status).toBe(status);
    expect((await ask('/live', { host })).status).toBe(200);
  });

  it('two at once, an empty one and none are refused', async () => {
    const [own, foreign] = ['Host: localhost\r\n', 'Host: evil.example\r\n'];
    for (const lines of [own + foreign, foreign + own, own + own, 'Host:\r\n', '']) {
      const text = `GET /src/main.tsx HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`;
      expect([400, 421]).toContain((await sendRaw(server.url, [text])).status);
    }
    const absolute =
      'GET http://evil.example/src/main.tsx HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    expect((await sendRaw(server.url, [absolute])).status).toBeGreaterThanOrEqual(400);
  });
});

it('lets no page of another origin read', async () => {
  for (const path of ['/', '/src/main.tsx', '/@vite/client', '/@react-refresh', '/favicon.svg']) {
    for (const origin of ['http://localhost:9999', 'http://evil.example', 'null']) {
      const { headers } = await ask(path, { origin, accept: 'text/html,*/*' });
      expect(headers['access-control-allow-origin'], path).toBeUndefined();
      expect(headers['cross-origin-resource-policy']).toBe('same-origin');
      const preflight = await ask(path, { origin, 'access-control-request-method': 'GET' }, 'OPTIONS');
      expect(preflight.headers['access-control-allow-origin'], path).toBeUndefined();
    }
  }
});

describe('the socket of hot reload', () => {
  const token = async () => {
    const { body } = await ask('/@vite/client');
    return /wsToken = "([^"]+)"/.exec(body)?.[1] ?? '';
  };
  /** The first line of the answer. */
  async function upgrade(
    path: string,
    headers: Record<string, string>,
    protocol = 'vite-hmr',
  ): Promise<number> {
    const lines = Object.entries({
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol': protocol,
      ...headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    await using connection = await openRaw(server.url);
    connection.socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    return (await connection.answer()).status;
  }
  const Host = 'localhost';
  const Origin = 'http://localhost';

  it('opens for our own page', async () => {
    expect(await upgrade(`/?token=${await token()}`, { Host, Origin })).toBe(101);
    expect(await upgrade('/', { Host, Origin }, 'vite-ping')).toBe(101);
  });

  it('closes a ping, also where the client does not', async () => {
    await using connection = await openRaw(server.url);
    connection.socket.write(
      `GET / HTTP/1.1\r\nHost: ${Host}\r\nOrigin: ${Origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: vite-ping\r\n\r\n',
    );
    expect((await connection.answer()).status).toBe(101);
    await connection.closed;
  });

  it.each<[string, (token: string) => string, Record<string, string>, string?]>([
    ['another page that has no token', () => '/', { Host, Origin: 'http://localhost:9999' }],
    ['a wrong token', () => '/?token=AAAAAAAAAAAA', { Host, Origin }],
    ['what names no origin', (token) => `/?token=${token}`, { Host }],
    ['another name', (token) => `/?token=${token}`, { Host: 'evil.example', Origin: 'http://evil.example' }],
    ['a ping from another page', () => '/', { Host, Origin: 'http://evil.example' }, 'vite-ping'],
    ['a ping from a page without a name', () => '/', { Host, Origin: 'null' }, 'vite-ping'],
    ['a ping under another name', () => '/', { Host: 'evil.example', Origin }, 'vite-ping'],
    ['another protocol', (token) => `/?token=${token}`, { Host, Origin }, 'chat'],
  ])('stays closed, and hangs nobody, for %s', async (_who, path, headers, protocol) => {
    expect(await upgrade(path(await token()), headers, protocol)).toBeGreaterThanOrEqual(400);
  });

  it('is not at another address, which is answered as if it had not been asked', async () => {
    expect(await upgrade(`/src/main.tsx?token=${await token()}`, { Host, Origin })).toBe(200);
  });
});

it('shows no code and no stack where something is broken', async () => {
  const broken = join(copy, 'client/src/broken.tsx');
  await writeFile(broken, `export const kept = '${SECRET}';\nexport const = ;\n`);
  const module = await ask('/src/broken.tsx', { accept: '*/*' });
  expect(module.status).toBe(404);
  const page = join(copy, 'client/index.html');
  const html = await readFile(page, 'utf8');
  await rm(page);
  const answer = await ask('/', { accept: 'text/html' });
  await writeFile(page, html);
  await rm(broken);
  expect(answer.status).toBe(500);
  for (const { body } of [module, answer]) {
    expect(body).not.toContain(SECRET);
    expect(body).not.toContain(copy);
    expect(body).not.toMatch(/\n\s+at /);
  }
  expect((await ask('/', { accept: 'text/html' })).status).toBe(200);
});

it('is refused in production', async () => {
  await using production = await startDevelopment(copy, database.url, { NODE_ENV: 'production' });
  expect(await production.ended()).toBe(78);
  expect(production.output()).toMatch(/NODE_ENV\n +is production/);
});

it('ends although pages and streams are open', async () => {
  const { body } = await ask('/@vite/client');
  const token = /wsToken = "([^"]+)"/.exec(body)?.[1];
  await using page = await openRaw(server.url);
  page.socket.write(
    `GET /?token=${token} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: vite-hmr\r\n\r\n',
  );
  expect((await page.answer()).status).toBe(101);
  await using reader = await openRaw(server.url);
  // Never sends its body, so that its answer cannot begin.
  reader.socket.write(
    'POST /api/operations/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n',
  );
  await ask('/live');
  expect(await server.end()).toBe(0);
  expect(server.output()).not.toContain('shutdown timed out');
});

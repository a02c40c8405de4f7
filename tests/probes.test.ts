import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase } from './support/postgres.ts';
import { type SpawnedServer, startServer } from './support/server.ts';

const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const number = expect.any(Number);

let server: SpawnedServer;
let down: SpawnedServer;
beforeAll(async () => {
  const database = await createDatabase();
  server = await startServer({ DATABASE_URL: database.url });
  down = await startServer({ DATABASE_URL: 'postgres://u:p@127.0.0.1:1/d' });
  await Promise.all([server.ready(), down.open()]);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await down[Symbol.asyncDispose]();
});

const check = (required: boolean) => ({ status: 'passing', required, durationMs: number });
const memory = { rss: number, heapTotal: number, heapUsed: number, external: number };
const DOCUMENTS: Record<string, unknown> = {
  '/live': { alive: true, timestamp: ISO, pid: number, uptime: number },
  '/ready': { ready: true, timestamp: ISO },
  '/startup': { started: true, state: 'ready', timestamp: ISO },
  '/health': {
    // The machine that runs the tests may be short of disk or busy.
    status: expect.stringMatching(/^(healthy|degraded)$/),
    state: 'ready',
    timestamp: ISO,
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    environment: 'production',
    uptime: number,
    checks: expect.objectContaining({
      database: check(true),
      memory: expect.objectContaining({ required: false }),
      'event-loop': expect.objectContaining({ required: false }),
      'open-files': expect.objectContaining({ required: false }),
      disk: expect.objectContaining({ required: false }),
      system: expect.objectContaining({
        required: false,
        details: expect.objectContaining({
          cpus: number,
          memoryTotalBytes: number,
          memoryAvailableBytes: number,
          uptimeSeconds: number,
        }),
      }),
    }),
    memory,
  },
};
const NAMES = [
  ...Object.keys(DOCUMENTS),
  '/api/monitoring/live',
  '/api/monitoring/ready',
  '/api/monitoring/health',
];

it('/health has no row of a service that is not used', async () => {
  const { checks } = (await (await fetch(`${server.url}/health`)).json()) as { checks: object };
  expect(checks).not.toHaveProperty('redis');
});

describe('a probe', () => {
  it.each(NAMES)('%s has exactly its fields, and is never cached', async (path) => {
    for (const asked of [path, `${path}?from=a-load-balancer`]) {
      const answer = await fetch(server.url + asked);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.headers.get('retry-after')).toBeNull();
      expect(await answer.json()).toEqual(DOCUMENTS[path.replace('/api/monitoring', '')]);
    }
  });

  it.each(['/ready', '/health', '/startup', '/api/monitoring/ready'])(
    '%s that fails says when to ask again',
    async (path) => {
      const answer = await fetch(down.url + path);
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('1');
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(await answer.json()).toMatchObject({ state: 'starting', timestamp: ISO });
    },
  );

  it('/ready and /health that fail say why', async () => {
    const error = 'The database cannot be reached. Trying again.';
    const [ready, health] = await Promise.all(
      ['/ready', '/health'].map(async (path) => (await fetch(down.url + path)).json()),
    );
    expect(ready).toEqual({ ready: false, error, state: 'starting', timestamp: ISO });
    expect(health).toMatchObject({ status: 'unhealthy', error, state: 'starting', memory });
  });

  it.each(NAMES)('%s answers HEAD with its status alone', async (path) => {
    const answer = await fetch(server.url + path, { method: 'HEAD' });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
    expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(20);
  });

  it.each(Object.keys(DOCUMENTS))('%s is for reading only', async (path) => {
    const answer = await fetch(server.url + path, { method: 'POST' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it.each(['example.com', 'evil.test', '10.0.0.3:5000', ''])(
    'answers whatever the Host, such as "%s"',
    async (host) => {
      const { sendRaw } = await import('./support/raw-http.ts');
      const answer = await sendRaw(server.url, [`GET /ready HTTP/1.1\r\nHost: ${host}\r\n\r\n`]);
      expect(answer.status).toBe(200);
    },
  );

  it('leaves no line in the log at info, and one at debug', async () => {
    const database = await createDatabase();
    await using talkative = await startServer({ DATABASE_URL: database.url, LOG_LEVEL: 'debug' });
    await talkative.ready();
    for (const path of NAMES) {
      await fetch(server.url + path);
      await fetch(talkative.url + path);
    }
    for (const one of [server, talkative]) await one.end();
    const paths = (of: SpawnedServer) =>
      of
        .log()
        .filter(({ msg }) => msg === 'request')
        .map(({ path }) => path);
    // What this file asked that is no probe's success: the method that is not allowed.
    expect(server.log().filter(({ msg, status }) => msg === 'request' && status !== 405)).toEqual([]);
    expect(paths(talkative)).toEqual(expect.arrayContaining(NAMES));
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../../../../tests/support/app.ts';
import { type Description, readDescription } from '../../../../tests/support/description.ts';
import { createDatabase, type TestDatabase } from '../../../../tests/support/postgres.ts';

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';

let database: TestDatabase;
let server: TestApp;
let description: Description;

beforeAll(async () => {
  database = await createDatabase();
  server = await createTestApp(database.url, { INTERNAL_API_KEY: KEY });
  description = await readDescription(server);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database.drop();
});

/** Every route that the application has registered, from the tree that Fastify prints. */
function registered(): [method: string, path: string][] {
  const found: [string, string][] = [];
  const parents: string[] = [];
  for (const line of server.app.printRoutes({ commonPrefix: false }).split('\n')) {
    const [, indent = '', path = '', methods] =
      /^((?:[│ ] {3})*)(?:├|└)── (\S*)(?: \((.+)\))?$/.exec(line) ?? [];
    const depth = indent.length / 4;
    parents.length = depth;
    parents[depth] = path;
    for (const method of methods?.split(', ') ?? []) found.push([method, parents.join('')]);
  }
  return found;
}

describe('the description', () => {
  it('names every route but files and catch-alls', () => {
    const routes = registered()
      .filter(
        ([method, path]) => method !== 'HEAD' && !path.endsWith('*') && !['/', '/index.html'].includes(path),
      )
      .map(([method, path]) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
    expect(routes.length).toBeGreaterThan(9);
    expect(description.operations.map(([method, path]) => `${method} ${path}`).sort()).toEqual(routes.sort());
  });

  it('has a schema for every answer, errors included', () => {
    for (const [method, path, { responses, summary }] of description.operations) {
      expect(summary, `${method} ${path} has a summary`).toBeTruthy();
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['500', 'default']));
      for (const [status, { content, description: words }] of Object.entries(responses)) {
        expect(words).not.toBe('');
        // These have no body.
        if (status === '204' || status.startsWith('3')) continue;
        const schemas = Object.values(content ?? {}).map(({ schema }) => schema);
        expect(schemas.length, `${method} ${path} ${status}`).toBeGreaterThan(0);
        for (const schema of schemas) expect(() => description.ajv.compile(schema)).not.toThrow();
      }
    }
  });

  it('gives every operation an id of its own, and refers to nothing that is missing', () => {
    const ids = description.operations.map(([, , { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain('getApiMonitoringHealth');
    expect(Object.keys(description.api.components.schemas)).toEqual(
      expect.arrayContaining(['Health', 'Problem', 'Status']),
    );
    for (const [, name] of JSON.stringify(description.api).matchAll(
      /"\$ref":"#\/components\/schemas\/(\w+)"/g,
    )) {
      expect(description.api.components.schemas).toHaveProperty(name as string);
    }
    expect(JSON.stringify(description.api)).not.toMatch(/"~|"\$id"/);
  });

  it('says which routes are for users and operators, and that the others are not', async () => {
    for (const [method, path, { security }] of description.operations) {
      const { statusCode, headers, raw } = await server.app.inject({
        method: method as 'GET',
        url: path.replace(/\{\w+\}/g, '1'),
        // A stream has no end to wait for.
        payloadAsStream: true,
      });
      raw.res.destroy();
      const challenge = String(headers['www-authenticate']);
      const isRefused = statusCode === 401 && /realm="(?:users|operators)"/.test(challenge);
      expect(security !== undefined, `${method} ${path}`).toBe(isRefused);
    }
    expect(description.operations.filter(([, , { security }]) => security).length).toBeGreaterThan(0);
  });
});

describe('real answers are as described', () => {
  const REQUESTS: [string, number][] = [
    ['/live', 200],
    ['/ready', 200],
    ['/health', 200],
    ['/startup', 200],
    ['/api/monitoring/health', 200],
    ['/api/status', 200],
    ['/api/openapi.json', 200],
    ['/api/monitoring/ready', 200],
    ['/api/monitoring/live', 200],
  ];
  it.each(REQUESTS)('GET %s with %i', async (url, status) => {
    const answer = await server.app.inject(url);
    expect(answer.statusCode, answer.body).toBe(status);
    description.expectDescribed(url, 'GET', answer);
  });

  it('while draining', async () => {
    server.lifecycle.to('draining');
    for (const url of ['/ready', '/health', '/startup', '/live']) {
      description.expectDescribed(url, 'GET', await server.app.inject(url));
    }
  });
});

describe('the document', () => {
  it('is not sent again unchanged, and is compressed where the client accepts it', async () => {
    const url = '/api/openapi.json';
    const whole = await server.app.inject({ url, headers: { 'accept-encoding': 'gzip' } });
    expect(whole.headers).toMatchObject({ 'content-encoding': 'gzip', 'cache-control': 'no-cache' });
    const { etag } = whole.headers as { etag: string };
    const known = { 'accept-encoding': 'gzip', 'if-none-match': etag };
    expect((await server.app.inject({ url, headers: known })).statusCode).toBe(304);
  });

  it('is cached apart for each origin and encoding, also where it is unchanged or in part', async () => {
    const url = '/api/openapi.json';
    const origin = 'https://app.example.com';
    await using server = await createTestApp(database.url, { CORS_ORIGINS: origin });
    const { headers } = await server.app.inject({ url, headers: { origin } });
    expect(headers).toMatchObject({
      vary: 'Origin, Accept-Encoding',
      'access-control-allow-origin': origin,
    });
    for (const [status, asked] of [
      [304, { 'if-none-match': String(headers.etag) }],
      [206, { range: 'bytes=0-9' }],
    ] as const) {
      const answer = await server.app.inject({ url, headers: { origin, ...asked } });
      expect(answer.statusCode).toBe(status);
      expect(answer.headers.vary).toBe('Origin, Accept-Encoding');
    }
  });
});

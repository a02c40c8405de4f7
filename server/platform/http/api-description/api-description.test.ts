import { describe, expect, it } from 'vitest';
import { createTestApp } from '../../../../tests/support/app.ts';
import { describedServer } from '../../../../tests/support/description.ts';

const described = describedServer();

/** Every route that the application has registered, from the tree that Fastify prints. */
function registered(): [method: string, path: string][] {
  const found: [string, string][] = [];
  const parents: string[] = [];
  for (const line of described.server.app.printRoutes({ commonPrefix: false }).split('\n')) {
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
    expect(described.description.operations.map(([method, path]) => `${method} ${path}`).sort()).toEqual(
      routes.sort(),
    );
  });

  it('has a schema for every answer, errors included', () => {
    for (const [method, path, { responses, summary }] of described.description.operations) {
      expect(summary, `${method} ${path} has a summary`).toBeTruthy();
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['500', 'default']));
      for (const [status, { content, description: words }] of Object.entries(responses)) {
        expect(words).not.toBe('');
        // These have no body.
        if (status === '204' || status.startsWith('3')) continue;
        const schemas = Object.values(content ?? {}).map(({ schema }) => schema);
        expect(schemas.length, `${method} ${path} ${status}`).toBeGreaterThan(0);
        for (const schema of schemas) expect(() => described.description.ajv.compile(schema)).not.toThrow();
      }
    }
  });

  it('gives every operation an id of its own, and refers to nothing that is missing', () => {
    const ids = described.description.operations.map(([, , { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain('getApiMonitoringHealth');
    expect(Object.keys(described.description.api.components.schemas)).toEqual(
      expect.arrayContaining(['Health', 'Problem', 'Status']),
    );
    for (const [, name] of JSON.stringify(described.description.api).matchAll(
      /"\$ref":"#\/components\/schemas\/(\w+)"/g,
    )) {
      expect(described.description.api.components.schemas).toHaveProperty(name as string);
    }
    expect(JSON.stringify(described.description.api)).not.toMatch(/"~|"\$id"/);
  });

  it('says which routes are for users and operators, and that the others are not', async () => {
    for (const [method, path, { security }] of described.description.operations) {
      const { statusCode, headers, raw } = await described.server.app.inject({
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
    expect(described.description.operations.filter(([, , { security }]) => security).length).toBeGreaterThan(
      0,
    );
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
    const answer = await described.server.app.inject(url);
    expect(answer.statusCode, answer.body).toBe(status);
    described.description.expectDescribed(url, 'GET', answer);
  });

  it('while draining', async () => {
    described.server.lifecycle.to('draining');
    for (const url of ['/ready', '/health', '/startup', '/live']) {
      described.description.expectDescribed(url, 'GET', await described.server.app.inject(url));
    }
  });
});

describe('the document', () => {
  it('is not sent again unchanged, and is compressed where the client accepts it', async () => {
    const url = '/api/openapi.json';
    const whole = await described.server.app.inject({ url, headers: { 'accept-encoding': 'gzip' } });
    expect(whole.headers).toMatchObject({ 'content-encoding': 'gzip', 'cache-control': 'no-cache' });
    const { etag } = whole.headers as { etag: string };
    const known = { 'accept-encoding': 'gzip', 'if-none-match': etag };
    expect((await described.server.app.inject({ url, headers: known })).statusCode).toBe(304);
  });

  it('is cached apart for each origin and encoding, also where it is unchanged or in part', async () => {
    const url = '/api/openapi.json';
    const origin = 'https://app.example.com';
    await using server = await createTestApp(described.database.url, { CORS_ORIGINS: origin });
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

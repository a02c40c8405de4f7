import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { createTestApp } from '../../../tests/support/app.ts';
import { describedServer } from '../../../tests/support/description.ts';
import type { Part } from '../../platform/parts.ts';
import { curlOf, exampleOf, exampleOfParameter, fetchOf, requestOf } from './examples.ts';

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';

const described = describedServer();

describe('examples', () => {
  it('are valid: of each body, answer, schema and parameter', () => {
    const { api, ajv } = described.description;
    const check = (schema: object, value: unknown, what: string) => {
      const validate = ajv.compile(schema);
      expect(validate(value), `${what}: ${JSON.stringify([value, validate.errors])}`).toBe(true);
    };
    for (const [name, schema] of Object.entries(api.components.schemas))
      check(schema, exampleOf(schema, api), name);
    for (const [method, path, operation] of described.description.operations) {
      const what = `${method} ${path}`;
      const contents = [operation.requestBody, ...Object.values(operation.responses)];
      for (const { schema } of contents.flatMap((one) => Object.values(one?.content ?? {})))
        check(schema, exampleOf(schema, api), what);
      for (const parameter of operation.parameters ?? []) {
        const text = exampleOfParameter(parameter, api);
        expect(text, `${what} ${parameter.name}`).not.toBe('');
      }
      const { address, body } = requestOf(path, method, operation, api);
      expect(address).not.toContain('{');
      expect(body === undefined, what).toBe(operation.requestBody === undefined);
    }
  });

  it('are requests that a shell and a browser can run', async () => {
    const request = {
      method: 'POST',
      address: "/api/things?name=it's",
      headers: { 'If-Match': '"1"' },
      body: `{\n  "name": "it's $HOME"\n}`,
      secured: true,
    };
    const command = curlOf(request, 'http://127.0.0.1:9').replace(/^curl/, `printf '%s\\n'`);
    const { stdout } = await promisify(execFile)('sh', ['-c', command], { env: { INTERNAL_API_KEY: KEY } });
    expect(stdout).toBe(
      [
        "http://127.0.0.1:9/api/things?name=it's",
        '-X',
        'POST',
        '-H',
        `Authorization: Bearer ${KEY}`,
        '-H',
        'If-Match: "1"',
        '-d',
        request.body,
        '',
      ].join('\n'),
    );
    const sent: unknown[] = [];
    const run = new Function('fetch', `return (async () => { ${fetchOf(request)} })()`);
    await run((...asked: unknown[]) => void sent.push(...asked));
    expect(sent).toEqual([
      request.address,
      { method: 'POST', headers: request.headers, body: JSON.stringify({ name: "it's $HOME" }) },
    ]);
  });
});

describe('the page', () => {
  it('shows every operation and schema, and loads nothing but our own files', async () => {
    const { body, headers } = await described.server.app.inject({
      url: '/api/docs',
      headers: { accept: 'text/html' },
    });
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    for (const [, , { operationId, summary }] of described.description.operations) {
      expect(body).toContain(`<article id="${operationId}">`);
      expect(body).toContain(summary?.replaceAll("'", '&#39;'));
    }
    for (const name of Object.keys(described.description.api.components.schemas))
      expect(body).toContain(`id="schema-${name}"`);
    const loaded = [...body.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, address]) => address);
    expect(loaded.filter((address) => !/^\/[^/]/.test(address as string))).toEqual(['/']);
    expect(body).not.toMatch(/<style|style="|<script>|\son\w+=/);
  });

  it('begins with the features, in the order of server/app.ts', async () => {
    const feature = (name: string): Part => ({
      name,
      async routes(app) {
        const schema = { response: { 200: Type.Object({}) } };
        app.get(`/api/${name}`, { config: { access: 'public' }, schema }, async () => ({}));
      },
    });
    const features = [() => feature('orders'), () => feature('carts')];
    await using server = await createTestApp(described.database.url, {}, { features });
    const { body } = await server.app.inject('/api/docs');
    const shown = [...body.matchAll(/<section><h2>(.+?)</g)].map(([, title]) => title);
    const own = [...server.features.map(({ name }) => name), 'orders', 'carts'];
    expect(shown.slice(0, own.length).map((title) => title?.toLowerCase())).toEqual(own);
  });

  it('has the policy of every other page', async () => {
    const policies = await Promise.all(
      ['/', '/api/docs', '/api/openapi.json', '/api/status', '/api/nothing'].map(
        async (url) => (await described.server.app.inject(url)).headers['content-security-policy'],
      ),
    );
    expect(new Set(policies).size).toBe(1);
    expect(policies[0]).not.toMatch(/unsafe/);
  });

  it('is as described', async () => {
    const answer = await described.server.app.inject('/api/docs');
    expect(answer.statusCode, answer.body).toBe(200);
    described.description.expectDescribed('/api/docs', 'GET', answer);
  });
});

import Fastify from 'fastify';
import { type Static, Type } from 'typebox';
import { expect, test, vi } from 'vitest';
import { request } from '../client/src/kit/lib/api.ts';
import { SchemaCompilers } from '../server/platform/http/schemas.ts';

const search = {
  method: 'GET',
  url: '/api/search',
  schema: {
    querystring: Type.Object({
      tag: Type.Optional(Type.Array(Type.String())),
      size: Type.Optional(Type.Array(Type.Integer())),
      limit: Type.Optional(Type.Integer()),
    }),
    response: { 200: Type.Any() },
  },
} as const;

test('a query arrives at the server as it was given, lists of none and of one included', async ({
  onTestFinished,
}) => {
  const schemas = new SchemaCompilers();
  const app = Fastify();
  app.setValidatorCompiler(schemas.validator);
  app.setSerializerCompiler(schemas.serializer);
  app.get(search.url, { schema: search.schema }, ({ query }) => query);
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  const { fetch } = globalThis;
  vi.stubGlobal('fetch', (path: string, options: RequestInit) => fetch(origin + path, options));
  onTestFinished(async () => {
    vi.unstubAllGlobals();
    await app.close();
  });
  const asked = (query: Static<typeof search.schema.querystring>) =>
    request<typeof search>('GET', search.url, { query });
  for (const query of [
    { tag: ['red', 'green, or blue', 'a&b=c', ''], size: [1, 2], limit: 3 },
    { tag: ['one, alone'], size: [7] },
    { tag: [''] },
    {},
  ])
    expect(await asked(query)).toEqual(query);
  expect(await asked({ tag: [], limit: 1 })).toEqual({ limit: 1 });
});

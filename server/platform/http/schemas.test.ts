import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { createTestApp } from '../../../tests/support/app.ts';
import { createDatabase } from '../../../tests/support/postgres.ts';
import { SchemaCompilers } from './schemas.ts';

const query = { type: 'object', properties: { limit: { type: 'integer', maximum: 9 } } };
const answer = { type: 'object', properties: { limit: { type: 'integer' } } };

async function make(schema: object) {
  const schemas = new SchemaCompilers();
  const app = Fastify();
  app.setValidatorCompiler(schemas.validator);
  app.setSerializerCompiler(schemas.serializer);
  app.get('/things', { schema }, (request) => ({ ...(request.query as object), secret: true }));
  await app.ready();
  return { app, schemas };
}

const broken = { type: 'object', properties: { limit: { $ref: '#/nowhere' } } };

it('checks and writes as the schemas say, whether they were compiled ahead or by the request', async () => {
  for (const ahead of [false, true]) {
    const { app, schemas } = await make({ querystring: query, response: { 200: answer } });
    if (ahead) schemas.compileAll();
    const { body } = await app.inject('/things?limit=9');
    expect(body).toBe('{"limit":9}');
    // Twice: errors of one request are no other's.
    for (const limit of ['10', 'x']) {
      const refused = await app.inject(`/things?limit=${limit}`);
      expect(refused.statusCode).toBe(400);
      expect(refused.json().message).toBe(
        limit === '10' ? 'querystring/limit must be <= 9' : 'querystring/limit must be integer',
      );
    }
    expect((await app.inject('/things?limit=1')).statusCode).toBe(200);
  }
});

it('compiles nothing while an application is made, and names the route of what cannot be compiled', async () => {
  const { schemas } = await make({ querystring: broken });
  expect(() => schemas.compileAll()).toThrow(
    'The schema for the querystring of GET /things cannot be compiled',
  );
  const { schemas: others } = await make({ response: { 200: broken } });
  expect(() => others.compileAll()).toThrow('answer 200 of GET /things');
});

it('can compile every schema of the application', async () => {
  await using server = await createTestApp((await createDatabase()).url);
  server.schemas.compileAll();
});

const text = (format: string) => ({ type: 'object', properties: { value: { type: 'string', format } } });

it.each([
  ['date-time', '2026-11-29T15:00:00Z', '2026-11-29'],
  ['date-time', '2026-11-29T15:00:00.5+01:00', '2026-11-29T15:00:00+01:00[Europe/Paris]'],
  ['date', '2026-02-28', '2026-02-30'],
  ['time', '15:00:00Z', '25:00:00Z'],
  ['duration', 'P1DT2H', '1 day'],
  ['email', 'a@example.com', 'a.example.com'],
  ['hostname', 'a.example.com', '-a-.example'],
  ['ipv4', '127.0.0.1', '127.0.0.256'],
  ['ipv6', '::1', '::g'],
  ['uri', 'https://example.com/a', 'example'],
  ['uri-reference', '/a?b', 'a b'],
  ['uuid', 'd9428888-122b-4d0b-9b1f-0a1b2c3d4e5f', 'd9428888'],
  ['regex', '^a+$', '('],
  ['json-pointer', '/a/0', 'a'],
])('checks the format %s: %j, not %j', async (format, right, wrong) => {
  const { app } = await make({ querystring: text(format) });
  const ask = async (value: string) =>
    (await app.inject({ url: '/things', query: { value } })).json().message;
  expect(await ask(right)).toBeUndefined();
  expect(await ask(wrong)).toBe(`querystring/value must match format "${format}"`);
});

it('refuses an unknown format, and names the route, the place and the format', async () => {
  const nested = { type: 'object', properties: { format: { type: 'array', items: text('telephone') } } };
  for (const schema of [{ querystring: nested }, { response: { 200: nested } }]) {
    await expect(make(schema)).rejects.toThrow(
      /(querystring|answer 200) of GET \/things.*#\/properties\/format\/items\/properties\/value.*"telephone"/s,
    );
  }
  const harmless = {
    type: 'object',
    properties: {
      n: { type: 'integer', format: 'int64' },
      secret: { type: 'string', format: 'password' },
      any: { type: 'object', default: { format: 'telephone' } },
    },
  };
  await expect(make({ querystring: harmless })).resolves.toBeDefined();
});

it('checks formats in linear time', async () => {
  const { Entries } = await import('typebox/format').then(({ default: format }) => format);
  const parts = [
    'a',
    '1',
    '.',
    ':',
    '::',
    '@',
    '%41',
    '/',
    'a.',
    'a-',
    '{a}',
    '\\"',
    '1Y',
    '[',
    '0:',
    ' ',
    '~0',
  ];
  const starts = ['', 'http://', 'http://[', 'a@', 'P', '2020-01-01T00:00:00.', 'mailto:', '"'];
  for (const [format, check] of Entries()) {
    const used = process.cpuUsage();
    for (const start of starts) {
      for (const part of parts) {
        try {
          check(`${start}${part.repeat(50_000)}\n`);
        } catch {}
      }
    }
    const { user, system } = process.cpuUsage(used);
    // Linear: some milliseconds for each of 136 texts. Quadratic: seconds for one.
    expect((user + system) / 1_000, format).toBeLessThan(5_000);
  }
});

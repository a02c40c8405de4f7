import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { createTestApp } from '../../tests/support/app.ts';
import { createDatabase } from '../../tests/support/postgres.ts';
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
    if (ahead) await schemas.compileAll();
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
  await expect(schemas.compileAll()).rejects.toThrow(
    'The schema for the querystring of GET /things cannot be compiled.',
  );
  const { schemas: others } = await make({ response: { 200: broken } });
  await expect(others.compileAll()).rejects.toThrow('answer 200 of GET /things');
});

it('leaves the rest when it is told to end', async () => {
  const { schemas } = await make({ querystring: broken });
  await expect(schemas.compileAll(AbortSignal.abort())).resolves.toBeUndefined();
});

it('can compile every schema of the application', async () => {
  await using server = await createTestApp((await createDatabase()).url);
  await expect(server.schemas.compileAll()).resolves.toBeUndefined();
});

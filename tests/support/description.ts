import { Ajv, type ValidateFunction } from 'ajv';
import { afterAll, beforeAll, expect } from 'vitest';
import type { OpenApi, Operation } from '#contracts/description.ts';
import { createTestApp, type TestApp } from './app.ts';
import { createDatabase, type TestDatabase } from './postgres.ts';

type Answer = Awaited<ReturnType<TestApp['app']['inject']>>;

/** The API's description as a server gives it, and what real answers are held against. */
export interface Description {
  api: OpenApi;
  ajv: Ajv;
  operations: [method: string, path: string, operation: Operation][];
  /** @param path As it stands in the description: `/api/things/{id}`. */
  expectDescribed(path: string, method: string, answer: Answer): void;
}

/** Asks a server for its description. */
export async function readDescription({ app }: TestApp): Promise<Description> {
  const api: OpenApi = (await app.inject('/api/openapi.json')).json();
  const ajv = new Ajv({
    strict: false,
    formats: { 'date-time': (text: string) => !Number.isNaN(Date.parse(text)) },
  });
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    ajv.addSchema(schema, `#/components/schemas/${name}`);
  }
  const validators = new Map<string, ValidateFunction>();
  return {
    api,
    ajv,
    operations: Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, string, Operation] => [
        method.toUpperCase(),
        path,
        operation,
      ]),
    ),
    expectDescribed(path, method, answer) {
      const responses = api.paths[path]?.[method.toLowerCase()]?.responses;
      const described = responses?.[answer.statusCode] ?? responses?.default;
      const what = `${method} ${path} ${answer.statusCode}`;
      expect(described, what).toBeDefined();
      if (answer.statusCode === 204) return;
      const type = String(answer.headers['content-type']).split(';')[0] as string;
      const schema = described?.content?.[type]?.schema;
      if (schema === undefined) throw new Error(`${what} is not described as ${type}`);
      if (type === 'text/html') return;
      const key = `${what} ${type}`;
      const validate = validators.get(key) ?? ajv.compile(schema);
      validators.set(key, validate);
      const fits = validate(answer.json());
      expect(fits, `${what}: ${JSON.stringify(validate.errors)} ${answer.body.slice(0, 500)}`).toBe(true);
    },
  };
}

/** A server and its description, from before the first test of a file until after the last. */
export function describedServer() {
  const described = {} as { database: TestDatabase; server: TestApp; description: Description };
  beforeAll(async () => {
    described.database = await createDatabase();
    described.server = await createTestApp(described.database.url);
    described.description = await readDescription(described.server);
  });
  afterAll(async () => {
    await described.server[Symbol.asyncDispose]();
    await described.database.drop();
  });
  return described;
}

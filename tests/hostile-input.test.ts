/**
 * Whatever a route is sent, as long as its schema says what it takes: no answer of 500 or more, and never a dead server.
 *
 * `FUZZ_RUNS=10000` makes a long night of it.
 */
import fc from 'fast-check';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from './support/app.ts';
import { createDatabase, type TestDatabase } from './support/postgres.ts';
import { sendRaw } from './support/raw-http.ts';
import { user } from './support/user.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 600);
/** Operators may do more, so their requests are the more hostile ones. */
const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';
const SECRET = 'Hn5cVt2QxWm8RzKb0LpYs4GdFj7UaEoi';
/** These answer for as long as they are asked to. */
const ENDLESS = ['/api/monitoring/stream', '/api/monitoring/profile'];

interface JsonSchema {
  type?: string;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
}

interface Route {
  method: string;
  url: string;
  schema?: { params?: JsonSchema; querystring?: JsonSchema; headers?: JsonSchema; body?: JsonSchema };
}

let testDatabase: TestDatabase;
let test: TestApp;
let address: string;
const routes: Route[] = [];

beforeAll(async () => {
  testDatabase = await createDatabase();
  const env = { RATE_LIMIT_MAX: '1000000000', INTERNAL_API_KEY: KEY, SESSION_SECRET: SECRET };
  test = await createTestApp(testDatabase.url, env);
  address = await test.listen();
  const described = (await (await fetch(`${address}/api/openapi.json`)).json()) as {
    paths: Record<string, Record<string, Operation>>;
  };
  for (const [path, operations] of Object.entries(described.paths)) {
    if (ENDLESS.includes(path)) continue;
    for (const [method, operation] of Object.entries(operations)) {
      // A stream of events has no end to wait for.
      if (operation.responses?.['200']?.content?.['text/event-stream']) continue;
      routes.push({ method: method.toUpperCase(), url: path, schema: schemaOf(operation) });
    }
  }
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  await testDatabase.drop();
});

interface Operation {
  parameters?: { in: string; name: string; schema: JsonSchema }[];
  requestBody?: { content: Record<string, { schema: JsonSchema }> };
  responses?: Record<string, { content?: Record<string, unknown> }>;
}

/** The input of a route, from its description: a new route is tested without further code. */
function schemaOf({ parameters = [], requestBody }: Operation): NonNullable<Route['schema']> {
  const part = (where: string): JsonSchema => ({
    type: 'object',
    properties: Object.fromEntries(
      parameters.filter((one) => one.in === where).map((one) => [one.name, one.schema]),
    ),
  });
  const body = requestBody?.content['application/json']?.schema;
  return { params: part('path'), querystring: part('query'), headers: part('header'), ...(body && { body }) };
}

const nasty = fc.constantFrom(
  ...[
    '',
    ' ',
    '0',
    '-1',
    '1e309',
    'NaN',
    'null',
    'true',
    '\u0000',
    '%00',
    '\uFFFE',
    '\uD800',
    '🦊'.repeat(50),
  ],
  ...[
    "' or 1=1 --",
    '"; drop table notes',
    '*/*',
    '()',
    '& | ! <->',
    ':*',
    '\\',
    '%_%',
    '__proto__',
    '../../etc',
  ],
  ...[
    '9007199254740993',
    '99999999999999999999',
    '1.5',
    '[]',
    '{}',
    '2026-13-45T99:99:99Z',
    'x'.repeat(5_000),
  ],
);
const anyText = fc.oneof(nasty, fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ maxLength: 300 }));

/** Values that a schema takes, values at its edges, and values that it was never meant for. */
function valuesOf(schema: JsonSchema | undefined, depth = 0): fc.Arbitrary<unknown> {
  const wrong = fc.oneof(nasty, fc.anything({ maxDepth: 2 }));
  if (schema === undefined || depth > 4) return wrong;
  const {
    type,
    properties = {},
    items,
    minLength = 0,
    maxLength = 300,
    minimum = -1e6,
    maximum = 1e6,
  } = schema;
  let right: fc.Arbitrary<unknown>;
  switch (type) {
    case 'object':
      right = fc.record(
        {
          ...Object.fromEntries(
            Object.entries(properties).map(([name, one]) => [name, valuesOf(one, depth + 1)]),
          ),
          more: wrong,
        },
        { requiredKeys: [] },
      );
      break;
    case 'array':
      right = fc.array(valuesOf(items, depth + 1), { maxLength: 5 });
      break;
    case 'integer':
    case 'number':
      right = fc.oneof(
        fc.integer({ min: Math.max(minimum, 1), max: Math.min(maximum, 40) }),
        fc.constantFrom(minimum, maximum, minimum - 1, maximum + 1, 0, -0, 2 ** 31, 2 ** 53, 1e308),
        fc.double(),
      );
      break;
    case 'boolean':
      right = fc.boolean();
      break;
    default:
      right = fc.oneof(
        anyText,
        fc.string({ minLength, maxLength: Math.min(maxLength, 300) }),
        fc.constantFrom('x'.repeat(maxLength), 'x'.repeat(maxLength + 1)),
      );
  }
  return fc.oneof({ arbitrary: right, weight: 6 }, { arbitrary: wrong, weight: 1 });
}

const asText = (value: unknown): string => {
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return 'unspeakable';
  }
};
/** What a header may hold at all: everything else Node refuses to parse, which `smuggling` is about. */
const asHeader = (value: unknown) =>
  asText(value)
    .replace(/[^\t\x20-\x7e\x80-\xff]/g, '?')
    .slice(0, 4_000);
const encoded = (value: unknown) => {
  const text = asText(value).slice(0, 2_000);
  return text.isWellFormed() ? encodeURIComponent(text) : '%ED%A0%80';
};
const fields = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : [];

function requestOf(route: Route): fc.Arbitrary<InjectOptions> {
  const { params, querystring, headers, body } = route.schema ?? {};
  return fc
    .record({
      params: valuesOf(params),
      query: fc.oneof(valuesOf(querystring), anyText),
      headers: valuesOf(headers),
      body: body === undefined ? fc.constant(undefined) : fc.oneof(valuesOf(body), nasty),
      raw: fc.integer({ min: 0, max: 9 }),
      type: fc.constantFrom(
        'application/json',
        'application/json',
        'application/json; charset=utf-16',
        'text/plain',
        '',
      ),
    })
    .map((made) => {
      const given = new Map(fields(made.params));
      const path = route.url.replace(/[{:](\w+)\}?/g, (_, name) => encoded(given.get(name) ?? '1') || '1');
      const query =
        typeof made.query === 'string'
          ? encodeURI(made.query.toWellFormed()).replace(/[#\s]/g, '')
          : fields(made.query)
              .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
              .join('&');
      const sent = Object.fromEntries(fields(made.headers).map(([name, value]) => [name, asHeader(value)]));
      return {
        method: route.method as 'GET',
        url: `${path}${query ? `?${query}` : ''}`,
        headers: {
          'x-api-key': KEY,
          ...user.headers,
          ...Object.fromEntries(Object.entries(sent).filter(([name]) => /^[\w-]+$/.test(name))),
          ...(made.body !== undefined && made.type !== '' && { 'content-type': made.type }),
        },
        ...(made.body !== undefined && {
          payload: made.raw === 0 ? asText(made.body).slice(0, 50) : asText(made.body),
        }),
      };
    });
}

describe('every route', () => {
  it(
    `answers ${RUNS} generated requests without a failure of its own`,
    async () => {
      expect(routes.length).toBeGreaterThan(4);
      const rejected: unknown[] = [];
      const onRejection = (reason: unknown) => rejected.push(reason);
      process.on('unhandledRejection', onRejection);
      const seen = new Map<string, Set<number>>();
      await fc.assert(
        fc.asyncProperty(
          fc
            .constantFrom(...routes)
            .chain((route) => requestOf(route).map((request) => ({ route, request }))),
          async ({ route, request }) => {
            const { statusCode, body } = await test.app.inject(request);
            const statuses = seen.get(`${route.method} ${route.url}`) ?? new Set();
            seen.set(`${route.method} ${route.url}`, statuses.add(statusCode));
            // A route may refuse for now (503), as one that is busy does.
            if (statusCode >= 500 && statusCode !== 503)
              throw new Error(`${request.method} ${request.url}: ${statusCode} ${body}`);
          },
        ),
        { numRuns: RUNS },
      );
      process.off('unhandledRejection', onRejection);
      expect(rejected).toEqual([]);
      expect(test.lines.filter(({ level }) => Number(level) >= 50)).toEqual([]);
      // A test whose every request is refused would show nothing. Some routes admit a person alone, and no key.
      const admitted = [...seen.values()].filter((statuses) => !statuses.has(401) && !statuses.has(403));
      const open = admitted.filter((statuses) => [...statuses].some((status) => status < 300));
      expect(open.length).toBeGreaterThan(Math.max(4, admitted.length / 3));
    },
    RUNS * 30 + 180_000,
  );
});

describe('request smuggling', () => {
  const next = 'GET /api/status HTTP/1.1\r\nHost: a\r\n\r\n';
  const post = (headers: string, body: string) =>
    `POST /api/status HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${headers}\r\n\r\n${body}`;

  it.each([
    ['a length and chunks', post('Content-Length: 4\r\nTransfer-Encoding: chunked', `0\r\n\r\n${next}`)],
    ['chunks and a length', post('Transfer-Encoding: chunked\r\nContent-Length: 4', `0\r\n\r\n${next}`)],
    ['two lengths', post('Content-Length: 2\r\nContent-Length: 44', `{}${next}`)],
    ['a list of lengths', post('Content-Length: 2, 44', `{}${next}`)],
    ['a signed length', post('Content-Length: +2', `{}${next}`)],
    ['a hexadecimal length', post('Content-Length: 0x2', `{}${next}`)],
    ['a space before the colon', post('Transfer-Encoding : chunked', `0\r\n\r\n${next}`)],
    ['an unknown encoding', post('Transfer-Encoding: xchunked', `0\r\n\r\n${next}`)],
    ['chunked, but not last', post('Transfer-Encoding: chunked, identity', `0\r\n\r\n${next}`)],
    ['a folded header', post('Transfer-Encoding:\r\n chunked', `0\r\n\r\n${next}`)],
    ['a bare line feed between headers', `GET /api/status HTTP/1.1\nHost: a\n\n${next}`],
    ['a bare carriage return', `GET /api/status HTTP/1.1\r\nHost: a\rX-A: b\r\n\r\n${next}`],
    ['NUL in a header', `GET /api/status HTTP/1.1\r\nHost: a\r\nX-A: b\u0000\r\n\r\n${next}`],
    [
      'a chunk that is longer than it says',
      post('Transfer-Encoding: chunked', `1\r\n{}\r\n0\r\n\r\n${next}`),
    ],
    ['a negative chunk', post('Transfer-Encoding: chunked', `-1\r\n{}\r\n0\r\n\r\n${next}`)],
    [
      'a chunk size beyond all numbers',
      post('Transfer-Encoding: chunked', `${'F'.repeat(20)}\r\n{}\r\n${next}`),
    ],
    ['no host', `GET /api/status HTTP/1.1\r\n\r\n${next}`],
    ['an unknown version', `GET /api/status HTTP/3.7\r\nHost: a\r\n\r\n${next}`],
  ])('%s: is refused, and what follows on the connection is not read', async (_, text) => {
    const answer = await sendRaw(address, [text]);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.headers.get('connection')).toBe('close');
    expect(answer.body).not.toContain('HTTP/1.1 200');
  });
});

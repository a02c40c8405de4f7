/** Every method that Node parses, on every kind of address, with every kind of body: none of it is a fault of the server. */
import { METHODS } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, type TestApp } from './support/app.ts';
import { THINGS, things } from './support/fixture/things.ts';
import { createDatabase, query } from './support/postgres.ts';
import { sendRaw } from './support/raw-http.ts';

const PATHS = [
  '/live',
  '/',
  '/index.html',
  '/some/page',
  '/nothing.png',
  '/api/things',
  '/api/things/1',
  '/api/nothing',
  '/api/operations/now',
  '/metrics',
  '/api/openapi.json',
  '/api/%74hings',
  '*',
  'http://x/api/status',
];
const LIMIT = 1_000;
const BODIES: Record<string, string> = {
  none: '\r\n',
  json: body('application/json', '{"name":"a name"}'),
  malformed: body('application/json', '{"name":'),
  large: body('application/json', JSON.stringify({ name: 'x'.repeat(LIMIT) })),
  'of another type': body('text/xml', '<title/>'),
};

function body(type: string, text: string): string {
  return `Content-Type: ${type}\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
}

let server: TestApp;
let address: string;
beforeAll(async () => {
  const { url } = await createDatabase();
  await query(url, THINGS);
  server = await createTestApp(url, { BODY_LIMIT_BYTES: String(LIMIT) }, { features: [things] });
  address = await server.listen();
});
afterAll(() => server[Symbol.asyncDispose]());

it.each(METHODS)('%s is answered as the client error that it is, if it is one', async (method) => {
  const logged = server.lines.length;
  const asked = PATHS.flatMap((path) =>
    Object.entries(BODIES).map(async ([name, rest]) => {
      const answer = await sendRaw(address, [
        `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${rest}`,
      ]).catch(() => undefined);
      return { what: `${method} ${path}, body: ${name}`, status: answer?.status };
    }),
  );
  const answers = await Promise.all(asked);
  // What is no request but a tunnel is closed without an answer.
  if (method !== 'CONNECT') expect(answers.filter(({ status }) => status === undefined)).toEqual([]);
  expect(answers.filter(({ status = 0 }) => status >= 500)).toEqual([]);
  expect(server.lines.slice(logged).filter(({ level }) => Number(level) >= 50)).toEqual([]);
});

import Fastify from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isDeeperThan, jsonBodies } from './json-bodies.ts';
import { problems } from './problems.ts';

const app = Fastify();
beforeAll(async () => {
  await app.register(problems);
  await app.register(jsonBodies);
  app.post('/', async ({ body }) => ({ keys: Object.keys(body as object) }));
});
afterAll(() => app.close());

const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

it.each([
  ['an object', '{"a":1}', 200],
  ['32 levels', nested(32), 200],
  ['33 levels', nested(33), 400],
  ['half a million levels', nested(500_000), 400],
  [
    'a hundred thousand levels around __proto__',
    `${'{"a":'.repeat(100_000)}{"__proto__":1}${'}'.repeat(100_000)}`,
    400,
  ],
  ['half a million levels that never close', '{"a":'.repeat(200_000), 400],
  ['brackets in a string', JSON.stringify({ a: '[{'.repeat(100) }), 200],
  ['brackets behind escaped quotes', JSON.stringify({ 'a"\\': `\\"${'['.repeat(100)}` }), 200],
  ['brackets behind a string that ends in a backslash', `{"a\\\\":${nested(40)}}`, 400],
  ['a string without an end', '{"a', 400],
  ['__proto__', '{"__proto__":{"admin":true}}', 400],
  ['__proto__ in disguise', '{"\\u005f_proto__":{"admin":true}}', 400],
  ['__proto__ further in', '{"a":[{"__proto__":{"admin":true}}]}', 400],
  ['constructor.prototype', '{"constructor":{"prototype":{"admin":true}}}', 400],
  ['nothing', '', 400],
  ['a number that is none', '{"a":1e}', 400],
  ['a byte order mark', '\uFEFF{"a":1}', 200],
  ['NUL', '{"a":\u0000}', 400],
])('%s', async (_, body, status) => {
  const answer = await app.inject({
    method: 'POST',
    url: '/',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(answer.statusCode).toBe(status);
  if (status !== 200) expect(answer.json().type).toMatch(/^\/problems\/(bad-request|malformed-json)$/);
  expect(({} as { admin?: boolean }).admin).toBeUndefined();
});

it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=a', 'text/html'])(
  'refuses %s',
  async (type) => {
    const answer = await app.inject({
      method: 'POST',
      url: '/',
      headers: { 'content-type': type },
      body: '{}',
    });
    expect(answer.statusCode).toBe(415);
  },
);

it('counts levels', () => {
  expect(isDeeperThan(1, { a: '[[' })).toBe(false);
  expect(isDeeperThan(1, { a: null, b: [] })).toBe(true);
  expect(isDeeperThan(2, [[], [], [[]]])).toBe(true);
  expect(isDeeperThan(0, 'text')).toBe(false);
});

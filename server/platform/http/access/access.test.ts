import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProblemError } from '../../lib/problem.ts';
import { problems } from '../problems.ts';
import { type AccessRule, access } from './access.ts';

const OLD = 'old-key-Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8o';
const NEW = 'new-key-Yp8t4KwR6bNc1ZxA3mJdV9sLfGhQeUoT7i5u';

let app: FastifyInstance;
const logged: string[] = [];

async function make(keys: string[]) {
  const made = Fastify({ logger: { level: 'trace', stream: { write: (line) => logged.push(line) } } });
  await made.register(problems);
  await made.register(access, { keys });
  made.get('/open', { config: { access: 'public' } }, async ({ operatorKey }) => ({ operatorKey }));
  made.get('/closed', { config: { access: 'operator' } }, async () => 'inside');
  made.get('/api/monitoring/live', { config: { access: 'public' } }, async () => 'inside');
  return made;
}

beforeAll(async () => {
  app = await make([NEW, OLD]);
});
afterAll(() => app.close());

describe('a route for operators', () => {
  it.each([
    { authorization: `Bearer ${NEW}` },
    { authorization: `bearer ${OLD}` },
    { 'x-api-key': NEW },
    { 'x-api-key': OLD, authorization: 'Bearer of-something-else' },
  ])('opens to %j', async (headers) => {
    const answer = await app.inject({ url: '/closed', headers });
    expect([answer.statusCode, answer.body]).toEqual([200, 'inside']);
  });

  it.each<[Record<string, string>, RegExp, string]>([
    [{}, /Send a key of INTERNAL_API_KEY as Authorization: Bearer/, 'Bearer realm="operators"'],
    [{ authorization: 'Basic dXNlcjpwYXNz' }, /Send a key/, 'Bearer realm="operators"'],
    [{ authorization: 'Bearer' }, /Send a key/, 'Bearer realm="operators"'],
    [{ 'x-api-key': '' }, /not one of those/, 'Bearer realm="operators", error="invalid_token"'],
    [
      { 'x-api-key': NEW.slice(0, -1) },
      /not one of those/,
      'Bearer realm="operators", error="invalid_token"',
    ],
    [{ 'x-api-key': `${NEW}x` }, /not one of/, 'Bearer realm="operators", error="invalid_token"'],
    [
      { authorization: `Bearer ${NEW.toLowerCase()}` },
      /not one/,
      'Bearer realm="operators", error="invalid_token"',
    ],
  ])('stays shut to %j', async (headers, detail, challenge) => {
    const answer = await app.inject({ url: '/closed', headers });
    expect(answer.statusCode).toBe(401);
    expect(answer.json().title).toBe('Unauthorized');
    expect(answer.headers['www-authenticate']).toBe(challenge);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.json().detail).toMatch(detail);
    expect(answer.body).not.toContain('inside');
  });

  it('looks like an address under /api/monitoring/ that does not exist', async () => {
    const url = '/api/monitoring/nothing';
    expect((await app.inject(url)).statusCode).toBe(401);
    expect((await app.inject({ url, headers: { 'x-api-key': NEW } })).statusCode).toBe(404);
  });

  it('admits nobody where no key is set, and says what to set', async () => {
    await using closed = await make([]);
    for (const headers of [{}, { 'x-api-key': '' }, { 'x-api-key': NEW }]) {
      const answer = await closed.inject({ url: '/closed', headers });
      expect(answer.statusCode).toBe(401);
      expect(answer.json().detail).toMatch(/no key is set. Set INTERNAL_API_KEY/);
    }
  });
});

it('leaves other routes open, and passes on what identifies an operator', async () => {
  expect((await app.inject('/api/monitoring/live')).statusCode).toBe(200);
  const shown = async (headers: Record<string, string>) =>
    (await app.inject({ url: '/open', headers })).json().operatorKey;
  expect(await shown({})).toBe('absent');
  expect(await shown({ 'x-api-key': 'no' })).toBe('wrong');
  expect(await shown({ authorization: `Bearer ${OLD}` })).toBe('right');
});

it('writes no key to the log, right or wrong', () => {
  expect(logged.length).toBeGreaterThan(10);
  expect(logged.join('')).not.toMatch(/-key-|dXNlcjpwYXNz/);
});

describe('a rule of another level', () => {
  /** What a rule does → what an anonymous request is answered, and what it runs. */
  async function answerUnder(rule: unknown) {
    let ran = 0;
    await using made = Fastify();
    await made.register(problems);
    await made.register(access, { keys: [NEW], ruleTimeoutMs: 100 });
    made.accessRules.set('owner' as 'operator', rule as AccessRule);
    made.get('/owned', { config: { access: 'owner' as 'operator' } }, async () => {
      ran++;
      return 'inside';
    });
    const { statusCode, body, headers } = await made.inject('/owned');
    return { statusCode, body, headers, ran };
  }
  const later = () => new Promise((resolve) => setImmediate(resolve));
  const refusal = new ProblemError('forbidden', 'This belongs to another person.');

  it.each<[string, number, unknown]>([
    [
      'throws',
      403,
      () => {
        throw refusal;
      },
    ],
    ['rejects', 403, () => Promise.reject(refusal)],
    [
      'rejects after a while',
      403,
      async () => {
        await later();
        throw refusal;
      },
    ],
    [
      'throws nothing',
      500,
      () => {
        throw undefined;
      },
    ],
    ['rejects with nothing', 500, async () => Promise.reject()],
    ['returns false in place of throwing', 500, () => false],
    ['resolves to false in place of throwing', 500, async () => false],
    ['never settles', 503, () => new Promise(() => {})],
    ['answers itself', 302, (_: unknown, reply: { redirect(to: string): void }) => void reply.redirect('/')],
    [
      'answers itself after a while',
      302,
      async (_: unknown, reply: { redirect(to: string): void }) => {
        await later();
        reply.redirect('/');
      },
    ],
  ])('that %s admits nobody: %i', async (_, status, rule) => {
    const answer = await answerUnder(rule);
    expect([answer.statusCode, answer.ran]).toEqual([status, 0]);
    expect(answer.body).not.toContain('inside');
  });

  it('refuses with its own message', async () => {
    const { body } = await answerUnder(async () => Promise.reject(refusal));
    expect(JSON.parse(body)).toMatchObject({
      type: '/problems/forbidden',
      title: 'Forbidden',
      detail: 'This belongs to another person.',
    });
  });

  it('admits a request that it does not refuse, at once or later', async () => {
    expect(await answerUnder(() => {})).toMatchObject({ statusCode: 200, body: 'inside' });
    expect(await answerUnder(async () => void (await later()))).toMatchObject({ statusCode: 200 });
  });

  it('can be asynchronous by its type, and cannot return a verdict', () => {
    const _waits: AccessRule = async () => {
      await later();
    };
    // @ts-expect-error What is returned would let everybody in.
    const _verdict: AccessRule = (request) => request.operatorKey === 'right';
    // @ts-expect-error Likewise.
    const _promised: AccessRule = async (request) => request.operatorKey === 'right';
    // @ts-expect-error A rule refuses by throwing; it does not answer.
    const _answers: AccessRule = (_request, reply) => void reply.send('no');
  });
});

describe('a route that cannot be registered', () => {
  it('declares no access; the error names method, path and remedy, and its stack the file', async () => {
    await using other = await make([NEW]);
    const message =
      /^POST \/things declares no access.* Write config: { access: 'user' }.*'operator'.*'public'/;
    const file = expect.stringMatching(/access\/access\.test\.ts:\d+/);
    expect(() => other.post('/things', async () => null)).toThrow(expect.objectContaining({ stack: file }));
    expect(() => other.post('/things', async () => null)).toThrow(message);
    expect(() => other.post('/things', { config: { quiet: true } }, async () => null)).toThrow(message);
    expect(() => other.head('/things', async () => null)).toThrow(/^HEAD \/things declares no access/);
  });

  it('declares a level that has no rule', async () => {
    await using other = await make([NEW]);
    expect(() => other.get('/x', { config: { access: 'owner' as 'operator' } }, async () => null)).toThrow(
      /^GET \/x: Access 'owner' has no rule\./,
    );
  });
});

import Fastify, { type FastifyRequest } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp } from '../../../../tests/support/app.ts';
import { createDatabase, type TestDatabase } from '../../../../tests/support/postgres.ts';
import { ProblemError } from '../../lib/problem.ts';
import type { Identity, Part, Scope } from '../../parts.ts';
import { problems } from '../problems.ts';
import { access } from './access.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

/** Believes a header. For tests: anybody can send one. */
const headerIdentity: Identity = {
  async identify({ headers: { 'x-user': user } }) {
    await new Promise((resolve) => setImmediate(resolve));
    if (user === 'banned') throw new ProblemError('forbidden', 'This account is closed.');
    return typeof user === 'string' ? { userId: user } : undefined;
  },
};

/** Answers whose rows it would show. */
const mine = (): Part => ({
  name: 'mine',
  async routes(app) {
    const handler = async ({ scope }: FastifyRequest) => ({ scope: scope ?? null });
    app.get('/api/mine', { config: { access: 'user' } }, handler);
    app.post('/api/mine', { config: { access: 'user' } }, handler);
    app.get('/api/everybody', { config: { access: 'public' } }, handler);
  },
});

describe('the whole application', () => {
  it('does not start with a route that declares no access, and names the route and its file', async () => {
    const careless = (): Part => ({
      name: 'careless',
      async routes(app) {
        app.get('/api/careless', async () => 'inside');
      },
    });
    await expect(createTestApp(database.url, {}, { features: [careless] })).rejects.toMatchObject({
      message: expect.stringMatching(/^GET \/api\/careless declares no access/),
      stack: expect.stringMatching(/access\/user\.test\.ts:\d+/),
    });
  });

  it('admits signed-in users with their scope, and refuses others', async () => {
    await using server = await createTestApp(
      database.url,
      {},
      { features: [mine], identity: headerIdentity },
    );
    const ask = (headers: Record<string, string>, method: 'GET' | 'HEAD' | 'POST' = 'GET') =>
      server.app.inject({ method, url: '/api/mine', headers });
    for (const method of ['GET', 'HEAD', 'POST'] as const) {
      const refused = await ask({}, method);
      expect([refused.statusCode, refused.headers['www-authenticate']]).toEqual([
        401,
        'Bearer realm="users"',
      ]);
      expect((await ask({ 'x-user': 'ann' }, method)).statusCode).toBe(200);
    }
    expect((await ask({})).json()).toMatchObject({ type: '/problems/unauthorized', detail: /Sign in/ });
    expect((await ask({ 'x-user': 'ann' })).json()).toEqual({ scope: { userId: 'ann' } });
    const banned = await ask({ 'x-user': 'banned' });
    expect([banned.statusCode, banned.json().detail]).toEqual([403, 'This account is closed.']);
    // Nothing of one request is seen by the next.
    expect((await ask({})).statusCode).toBe(401);
    const everybody = await server.app.inject({ url: '/api/everybody', headers: { 'x-user': 'ann' } });
    expect(everybody.json()).toEqual({ scope: null });
    expect(server.app.declaredAccess.hasIdentity).toBe(true);
    expect(warnings(server.lines)).toEqual([]);
  });

  it('admits everybody where there is no identity, and logs that once', async () => {
    await using server = await createTestApp(database.url, {}, { features: [mine] });
    expect((await server.app.inject('/api/mine')).json()).toEqual({ scope: null });
    const { userRoutes } = server.app.declaredAccess;
    expect(userRoutes).toEqual(expect.arrayContaining(['GET /api/mine', 'POST /api/mine']));
    expect(userRoutes.filter((route) => route.startsWith('HEAD'))).toEqual([]);
    expect(warnings(server.lines)).toEqual([
      `there is no identity, so access 'user' admits everybody to ${userRoutes.length} routes: return an identity in server/app.ts`,
    ]);
  });
});

const warnings = (lines: readonly Record<string, unknown>[]) =>
  lines.map(({ msg }) => String(msg)).filter((text) => text.includes("access 'user'"));

describe('an identity', () => {
  /** @returns What an anonymous request is answered, and how often its handler ran. */
  async function answerUnder(identify: unknown) {
    let ran = 0;
    await using app = Fastify();
    await app.register(problems);
    await app.register(access, {
      keys: [],
      ruleTimeoutMs: 100,
      identity: { identify: identify as () => Promise<Scope> },
    });
    app.get('/', { config: { access: 'user' } }, async () => {
      ran++;
      return 'inside';
    });
    const { statusCode, body } = await app.inject('/');
    return { statusCode, body, ran };
  }

  it.each<[string, number, unknown]>([
    [
      'throws at once',
      500,
      () => {
        throw new Error('the table is missing');
      },
    ],
    ['rejects', 500, async () => Promise.reject(new Error('the table is missing'))],
    ['rejects with nothing', 500, async () => Promise.reject()],
    ['forbids', 403, async () => Promise.reject(new ProblemError('forbidden', 'No.'))],
    ['never answers', 503, () => new Promise(() => {})],
    ['returns nothing', 401, () => undefined],
    ['returns null', 500, async () => null],
    ['returns a verdict', 500, async () => true],
    ['returns a scope of nobody', 500, async () => ({ userId: '' })],
    ['returns a scope without an id', 500, async () => ({ organisationId: '7' })],
  ])('that %s admits nobody: %i', async (_, status, identify) => {
    const answer = await answerUnder(identify);
    expect([answer.statusCode, answer.ran]).toEqual([status, 0]);
    expect(answer.body).not.toMatch(/inside|table/);
  });
});

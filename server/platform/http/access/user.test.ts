import Fastify, { type FastifyRequest, type RouteOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp } from '../../../../tests/support/app.ts';
import { createDatabase, type TestDatabase } from '../../../../tests/support/postgres.ts';
import { ProblemError } from '../../lib/problem.ts';
import type { Identity, Part, Scope } from '../../parts.ts';
import { describeRoute } from '../api-description/describe-route.ts';
import { problems } from '../problems.ts';
import { type AccessLevel, access } from './access.ts';

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';
const route = (access: AccessLevel) =>
  ({ method: 'GET', url: '/api/orders', config: { access } }) as never as RouteOptions;

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
    await using server = await createTestApp(database.url, {}, { features: [mine], identity: 'none' });
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

describe('a permission', () => {
  /** Ada may write; the header says who is asking. */
  const identity: Identity = {
    async identify({ headers: { 'x-user': user } }) {
      if (user === undefined) return undefined;
      return { userId: String(user), permissions: new Set(user === 'ada' ? ['orders:write'] : []) };
    },
    async identifyOperator({ headers: { 'x-user': user } }) {
      return user === 'olga' ? { userId: 'olga' } : undefined;
    },
  };
  const shop = (): Part => ({
    name: 'shop',
    permissions: { 'orders:write': 'Change orders.' },
    async routes(app) {
      const handler = async ({ scope }: FastifyRequest) => scope?.userId ?? 'nobody';
      app.post('/api/orders', { config: { access: { permission: 'orders:write' } } }, handler);
      app.get('/api/all-orders', { config: { access: 'operator' } }, handler);
    },
  });
  const make = (part: Part, known: Identity | 'none' = 'none') =>
    createTestApp(database.url, { INTERNAL_API_KEY: KEY }, { features: [() => part], identity: known });

  it('admits who has it, and names it to others', async () => {
    await using server = await make(shop(), identity);
    const ask = async (headers: Record<string, string>) => {
      const { statusCode, body } = await server.app.inject({ method: 'POST', url: '/api/orders', headers });
      return [statusCode, body];
    };
    expect(await ask({ 'x-user': 'ada' })).toEqual([200, 'ada']);
    expect(await ask({ 'x-user': 'bob' })).toEqual([403, expect.stringMatching(/forbidden.*'orders:write'/)]);
    expect((await ask({}))[0]).toBe(401);
    expect((await ask({ authorization: `Bearer ${KEY}` }))[0]).toBe(401);
    const lines = server.lines.filter(({ msg }) => msg === 'request');
    expect(lines.map(({ userId }) => userId)).toEqual(['ada', 'bob', undefined, undefined]);
  });

  it('is named to the identity: some are admitted for that alone', async () => {
    const asked: unknown[] = [];
    await using server = await make(shop(), {
      async identify(_request, permission) {
        asked.push(permission);
        return undefined;
      },
    });
    await server.app.inject({ method: 'POST', url: '/api/orders' });
    expect(asked).toEqual(['orders:write']);
  });

  it('admits everybody where there is no identity, and is counted so', async () => {
    await using open = await make(shop());
    expect(open.app.declaredAccess.userRoutes).toContain('POST /api/orders');
    const answer = await open.app.inject({ method: 'POST', url: '/api/orders' });
    expect([answer.statusCode, answer.body]).toEqual([200, 'nobody']);
  });

  it('that no part declares fails the start', async () => {
    const undeclared = { ...shop(), permissions: {} };
    await expect(make(undeclared)).rejects.toThrow(
      "POST /api/orders: No part declares the permission 'orders:write' in its permissions.",
    );
  });

  it('is described with how users and operators identify', async () => {
    const cookie = { type: 'apiKey', in: 'cookie', name: 'session' };
    const securitySchemes = { person: cookie, key: { type: 'http', scheme: 'bearer' } };
    await using server = await make(shop(), { ...identity, securitySchemes });
    const description = describeRoute(
      { response: { 200: {} } },
      route({ permission: 'orders:write' }),
      {},
      securitySchemes,
    );
    expect(description).toMatchObject({
      security: [{ person: ['orders:write'] }, { key: ['orders:write'] }],
    });
    const { security } = describeRoute(
      { response: { 200: {} } },
      route('operator'),
      {},
      securitySchemes,
    ) as never;
    expect(security).toEqual([{ bearer: [] }, { apiKey: [] }, { session: [] }, { person: [] }]);
    const { components } = (await server.app.inject('/api/openapi.json')).json();
    expect(components.securitySchemes).toMatchObject(securitySchemes);
  });

  it('does not make an operator: that is an identity of its own', async () => {
    await using server = await make(shop(), identity);
    const ask = async (headers: Record<string, string>) => {
      const { statusCode, body } = await server.app.inject({ url: '/api/all-orders', headers });
      return statusCode === 200 ? body : statusCode;
    };
    expect(await ask({ 'x-user': 'olga' })).toBe('olga');
    expect(await ask({ 'x-user': 'ada' })).toBe(401);
    expect(await ask({ 'x-api-key': KEY })).toBe('nobody');
    // A wrong key beside a right person is a wrong key.
    expect(await ask({ 'x-user': 'olga', 'x-api-key': 'wrong' })).toBe(401);
  });
});

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

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ProductionReadiness, ReadinessItem } from '#contracts/operations/deployment.ts';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { TcpProxy } from '../../../tests/support/tcp-proxy.ts';

const KEY = 'x1Zk8vQnB2mR5tYw7uPa9sDf3gHj4kLe6cVbNq0oWiE';
const url = '/api/monitoring/production-readiness';
const headers = { authorization: `Bearer ${KEY}` };
let database: TestDatabase;
let proxy: TcpProxy;
let test: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  const address = new URL(database.url);
  proxy = await TcpProxy.start({ host: address.hostname, port: Number(address.port) });
  address.port = String(proxy.port);
  test = await createTestApp(address.href, {
    INTERNAL_API_KEY: KEY,
    TRUST_PROXY: '192.0.2.0/24',
    DB_POOL_SIZE: '3',
    MAX_INSTANCES: '7',
  });
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  await proxy.stop();
  await database.drop();
});

async function look(remoteAddress = '192.0.2.1', more: Record<string, string> = {}) {
  const answer = await test.app.inject({ url, headers: { ...headers, ...more }, remoteAddress });
  expect(answer.statusCode).toBe(200);
  return answer.json<ProductionReadiness>();
}
const item = ({ items }: ProductionReadiness, name: string) =>
  items.find((one) => one.name === name) as ReadinessItem;

it('is for operators', async () => {
  expect((await test.app.inject(url)).statusCode).toBe(401);
});

it('asks the database what it allows', async () => {
  const [{ allowed }] = (
    await query(
      database.url,
      `select current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true)::integer, 0) as allowed`,
    )
  ).rows;
  const found = await look();
  expect(item(found, 'connections')).toMatchObject({
    status: 'pass',
    detail: `(DB_POOL_SIZE 3 + 1) × MAX_INSTANCES 7 = 28; the database allows ${allowed}.`,
  });
  expect(item(found, 'clock').status).toBe('pass');
  expect(item(found, 'database').detail).toMatch(/^PostgreSQL \d\d answers/);
  expect(item(found, 'operators-key').status).toBe('pass');
});

it('names the routes by which everybody may write, and no other', async () => {
  const { status, detail } = item(await look(), 'writes');
  expect(detail).toContain('POST /api/operations/session');
  expect(detail).not.toMatch(/GET|HEAD|monitoring/);
  const { hasIdentity, userRoutes } = test.app.declaredAccess;
  expect(status).toBe(hasIdentity || userRoutes.length === 0 ? 'pass' : 'warn');
});

it('believes a trusted proxy about TLS, and remembers one that is not', async () => {
  expect(item(await look('192.0.2.1', { 'x-forwarded-proto': 'https' }), 'tls').status).toBe('pass');
  const before = await look();
  expect(item(before, 'tls').status).toBe('warn');
  expect(item(before, 'proxies').status).toBe('pass');
  await look('198.51.100.7', { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' });
  const after = await look();
  expect(item(after, 'proxies')).toMatchObject({
    status: 'fail',
    detail: expect.stringContaining('198.51.100.7'),
  });
  expect(after.status).toBe('fail');
});

it('answers in time while the database says nothing', async () => {
  proxy.swallow();
  try {
    const found = await look();
    expect(item(found, 'database')).toMatchObject({ status: 'fail', detail: 'It did not answer in time.' });
    expect(item(found, 'connections').status).toBe('warn');
  } finally {
    await proxy.pass();
  }
});

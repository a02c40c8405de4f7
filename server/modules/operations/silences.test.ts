import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createTestApp, type TestApp } from '../../../tests/support/app.ts';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { TcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { until } from '../../../tests/support/until.ts';

const KEY = 'x1Zk8vQnB2mR5tYw7uPa9sDf3gHj4kLe6cVbNq0oWiE';
let database: TestDatabase;
let proxy: TcpProxy;
let test: TestApp;
let other: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  const url = new URL(database.url);
  proxy = await TcpProxy.start({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  // A replica whose way to the database can be cut, and one beside it.
  test = await createTestApp(url.href, { INTERNAL_API_KEY: KEY });
  other = await createTestApp(database.url, { INTERNAL_API_KEY: KEY });
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await proxy.stop();
  await database.drop();
});
beforeEach(async () => {
  await query(database.url, 'truncate silences');
  await ask('GET', '/silences');
});

type Method = 'GET' | 'POST' | 'DELETE';
async function ask(method: Method, path: string, payload?: object, { app } = test) {
  const answer = await app.inject({
    method,
    url: `/api/monitoring${path}`,
    headers: { authorization: `Bearer ${KEY}` },
    ...(payload && { payload }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? undefined : answer.json() };
}

const silence = { alert: 'high-cpu', comment: 'Import until noon, Kim', minutes: 60 };
const silencedAlerts = async (on = test) => {
  const { body } = await ask('GET', '/alerts', undefined, on);
  return body.alerts.flatMap((alert: { name: string; silencedUntil?: string }) =>
    alert.silencedUntil ? [alert.name] : [],
  );
};

it('is for operators', async () => {
  for (const [method, url] of [
    ['GET', '/alerts'],
    ['GET', '/silences'],
    ['POST', '/silences'],
    ['DELETE', '/silences/1'],
  ] as const) {
    const answer = await test.app.inject({
      method,
      url: `/api/monitoring${url}`,
      ...(method === 'POST' && { payload: silence }),
    });
    expect(answer.statusCode).toBe(401);
  }
});

it('is made, shows on its alert, and ends', async () => {
  const made = await ask('POST', '/silences', silence);
  expect(made.status).toBe(201);
  expect(Date.parse(made.body.expiresAt) - Date.now()).toBeGreaterThan(59 * 60_000);
  expect((await ask('GET', '/silences')).body.silences).toEqual([made.body]);
  expect(await silencedAlerts()).toEqual(['high-cpu']);

  expect((await ask('DELETE', `/silences/${made.body.id}`)).status).toBe(204);
  expect((await ask('GET', '/silences')).body.silences).toEqual([]);
  expect(await silencedAlerts()).toEqual([]);
  expect((await ask('DELETE', `/silences/${made.body.id}`)).status).toBe(404);
});

it('holds on every replica', async () => {
  const { body } = await ask('POST', '/silences', { ...silence, alert: '*' });
  const all = (await ask('GET', '/alerts', undefined, other)).body.alerts;
  expect(all.every((alert: { silencedUntil?: string }) => alert.silencedUntil === body.expiresAt)).toBe(true);
});

it('lists the next to end first, and none that have ended', async () => {
  await ask('POST', '/silences', { ...silence, minutes: 90 });
  await ask('POST', '/silences', { ...silence, alert: 'low-disk', minutes: 30 });
  await query(
    database.url,
    `insert into silences (alert, comment, expires_at) values ('high-memory', 'over', now() - interval '1 minute')`,
  );
  const { body } = await ask('GET', '/silences');
  expect(body.silences.map(({ alert }: { alert: string }) => alert)).toEqual(['low-disk', 'high-cpu']);
});

it('leaves no rows behind that nobody will ask for', async () => {
  await query(
    database.url,
    `insert into silences (alert, comment, expires_at) values
      ('low-disk', 'last night', now() - interval '12 hours'), ('low-disk', 'last month', now() - interval '30 days')`,
  );
  await ask('POST', '/silences', silence);
  // The answer does not wait for that.
  await vi.waitFor(async () => {
    const { rows } = await query(database.url, 'select comment from silences order by expires_at');
    expect(rows.map(({ comment }) => comment)).toEqual(['last night', silence.comment]);
  }, 60_000);
});

it('refuses what names no alert, and what no database can hold', async () => {
  expect((await ask('POST', '/silences', { ...silence, alert: 'high-spirits' })).body).toMatchObject({
    status: 400,
    detail: "There is no alert 'high-spirits'. Use '*' for all alerts.",
    errors: [{ path: 'body/alert' }],
  });
  for (const wrong of [
    { comment: '' },
    { comment: 'a\0b' },
    { minutes: 0 },
    { minutes: 10_081 },
    { until: 1 },
  ]) {
    expect((await ask('POST', '/silences', { ...silence, ...wrong })).status).toBe(400);
  }
  expect((await ask('DELETE', '/silences/2147483648')).status).toBe(400);
});

it('holds on while the database is away, can be read, and cannot be changed', async () => {
  const { body } = await ask('POST', '/silences', silence);
  await proxy.refuse();
  try {
    expect((await ask('GET', '/silences')).body.silences).toEqual([body]);
    expect(await silencedAlerts()).toEqual(['high-cpu']);
    for (const refused of [
      await ask('POST', '/silences', silence),
      await ask('DELETE', `/silences/${body.id}`),
    ]) {
      expect(refused).toMatchObject({ status: 503, body: { type: '/problems/unavailable' } });
    }
  } finally {
    await proxy.pass();
  }
  await until(
    'the database to be back',
    async () => (await ask('DELETE', `/silences/${body.id}`)).status === 204,
  );
  expect((await ask('GET', '/silences')).body.silences).toEqual([]);
});

it('is kept although those that ended long ago cannot be removed', async () => {
  await query(
    database.url,
    `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not today'; end $$;
     create trigger refuse before delete on silences for each row execute function refuse();
     insert into silences (alert, comment, expires_at) values ('high-cpu', 'old', now() - interval '8 days')`,
  );
  try {
    expect(await ask('POST', '/silences', silence)).toMatchObject({
      status: 201,
      body: { alert: 'high-cpu' },
    });
    const warnings = () =>
      test.lines.filter(({ level, msg }) => level === 40 && String(msg).startsWith('old silences'));
    await expect.poll(() => warnings().length).toBe(1);
  } finally {
    await query(database.url, 'drop function refuse cascade');
  }
});

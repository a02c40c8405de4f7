import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createDatabase, query, type TestDatabase } from '../../../tests/support/postgres.ts';
import { createDatabase as createPool, type Database } from '../database/pool/pool.ts';
import { handlerDeadline } from './handler-deadline.ts';
import { problems } from './problems.ts';

/** Long enough for a handler's first query to begin. */
const LIMIT_MS = 1_000;
const SOON = { timeout: 60_000, interval: 20 };

let testDatabase: TestDatabase;
let database: Database;
let address: string;
/** The last one that was asked for slowly. */
let answer: ServerResponse | undefined;
/** Holds a lock that the handlers' first query waits for. */
let holder: pg.Client;
/** What the handler with a transaction waits for. */
const gate = Promise.withResolvers<void>();
const app = Fastify();

beforeAll(async () => {
  testDatabase = await createDatabase('empty');
  await query(testDatabase.url, 'create table marks (mark text)');
  database = createPool(
    {
      connection: { connectionString: testDatabase.url },
      poolSize: 2,
      idleTimeoutMs: 60_000,
      connectTimeoutMs: 60_000,
      statementTimeoutMs: 300_000,
      preparedStatements: true,
      applicationName: 'deadline',
    },
    { debug() {}, info() {}, warn() {} },
  );
  await database.pool.query('select 1');
  await app.register(problems);
  await app.register(handlerDeadline, { limitMs: LIMIT_MS });
  holder = new pg.Client({ connectionString: testDatabase.url });
  await holder.connect();
  const work = async (mark: string) => {
    await database.pool.query('select pg_advisory_lock(1), pg_advisory_unlock(1)');
    await database.pool.query('insert into marks values ($1)', [mark]);
    return { mark };
  };
  app.get<{ Params: { mark: string } }>('/slow/:mark', ({ params }, reply) => {
    answer = reply.raw;
    return work(params.mark);
  });
  app.post<{ Params: { mark: string } }>('/slow/:mark', ({ params }) => work(params.mark));
  app.get<{ Params: { mark: string } }>('/in-transaction/:mark', async ({ params }) => {
    await database.db.transaction(async (transaction) => {
      await transaction.execute(`insert into marks values ('${params.mark}')`);
      await gate.promise;
      await transaction.execute('select 1');
    });
    return {};
  });
  app.get('/untimed', { config: { untimed: true } }, async () => {
    await sleep(LIMIT_MS * 3);
    return 'as long as it takes';
  });
  app.get('/open-stream', { config: { untimed: true } }, (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200).flushHeaders();
  });
  app.get('/stream', (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200);
    setTimeout(() => reply.raw.end('all of it'), LIMIT_MS * 2);
  });
  app.get<{ Params: { mark: string } }>('/behind-the-answer/:mark', async ({ params }) => {
    setTimeout(() => void database.pool.query('insert into marks values ($1)', [params.mark]), LIMIT_MS * 2);
    return {};
  });
  address = await app.listen({ port: 0, host: '127.0.0.1' });
});

afterAll(async () => {
  await holder.end();
  await app.close();
  await database.close();
  await testDatabase.drop();
});

const left = async (mark: string) =>
  (await query(testDatabase.url, 'select 1 from marks where mark = $1', [mark])).rowCount;

const inUse = () => {
  const { total, idle } = database.stats();
  return total - idle;
};

/** Has the first query end, and waits until its handler has done what it does next. */
async function letGo(): Promise<void> {
  expect(inUse()).toBe(1);
  await holder.query('select pg_advisory_unlock(1)');
  await vi.waitFor(() => expect(inUse()).toBe(0), SOON);
}

it('leaves a route alone that says so', async () => {
  expect(await (await fetch(`${address}/untimed`)).text()).toBe('as long as it takes');
});

it('counts no open stream as a handler at work: a page that stays open is no load', async () => {
  const reader = new AbortController();
  const answer = await fetch(`${address}/open-stream`, { signal: reader.signal });
  expect(answer.status).toBe(200);
  expect(app.handlersRunning()).toBe(0);
  reader.abort();
});

it.each(['GET', 'POST'])(
  'answers a slow %s 503 in time, and starts no further query for it',
  async (method) => {
    await holder.query('select pg_advisory_lock(1)');
    const answer = await fetch(`${address}/slow/${method}`, {
      method,
      ...(method === 'POST' && { body: '{}', headers: { 'content-type': 'application/json' } }),
    });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(await answer.json()).toMatchObject({ type: '/problems/handler-timeout' });
    await letGo();
    expect(await left(method)).toBe(0);
  },
);

it('starts no further query once the client has gone', async () => {
  const { port, hostname } = new URL(address);
  await holder.query('select pg_advisory_lock(1)');
  const socket = connect(Number(port), hostname);
  socket.write('GET /slow/gone HTTP/1.1\r\nHost: a\r\n\r\n');
  await vi.waitFor(() => expect(inUse()).toBe(1), SOON);
  socket.destroy();
  await vi.waitFor(() => expect(answer?.destroyed).toBe(true), SOON);
  await letGo();
  expect(await left('gone')).toBe(0);
});

it('undoes a transaction that outlives its request, and gives the connection back', async () => {
  expect((await fetch(`${address}/in-transaction/undone`)).status).toBe(503);
  gate.resolve();
  await vi.waitFor(() => expect(inUse()).toBe(0), SOON);
  expect(await left('undone')).toBe(0);
  expect(database.stats()).toMatchObject({ waiting: 0 });
  await database.pool.query('select 1');
  const { rows } = await query(
    testDatabase.url,
    `select count(*)::int as open from pg_stat_activity
      where datname = current_database() and state like 'idle in transaction%'`,
  );
  expect(rows[0].open).toBe(0);
});

it('leaves an answer that has begun alone, and work that goes on behind an answer', async () => {
  expect(await (await fetch(`${address}/stream`)).text()).toBe('all of it');
  expect((await fetch(`${address}/behind-the-answer/kept`)).status).toBe(200);
  await expect.poll(() => left('kept')).toBe(1);
});

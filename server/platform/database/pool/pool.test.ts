import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  createDatabase as createTestDatabase,
  query,
  type TestDatabase,
} from '../../../../tests/support/postgres.ts';
import { announceForeignKey, TcpProxy } from '../../../../tests/support/tcp-proxy.ts';
import { runAsWorkOf } from '../../lib/request-work.ts';
import { createDatabase, type Database, type DatabaseOptions } from './pool.ts';
import { DatabaseUnavailableError, findUnavailable } from './unavailable.ts';

/** `expect.poll` loses its test where several run at once. */
const WITHIN = { timeout: 60_000, interval: 50 };
/** Longer than a test may take, in milliseconds: waiting for this limit fails the test. */
const TOO_LATE = 600_000;

let own: TestDatabase;
let direct: pg.ClientConfig & { host: string; port: number };

beforeAll(async () => {
  own = await createTestDatabase('empty');
  const url = new URL(own.url);
  direct = {
    host: url.hostname,
    port: Number(url.port),
    user: url.username,
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
  };
});
afterAll(() => own.drop());

/** Each test has a proxy of its own before the database, and pools that go through it. */
const it = test.extend<{
  proxy: TcpProxy;
  lines: string[];
  make(options?: Partial<DatabaseOptions>): Database;
}>({
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads the names of what a fixture needs from its parameter.
  proxy: async ({}, use) => {
    const proxy = await TcpProxy.start(direct);
    await use(proxy);
    await proxy.stop();
  },
  // biome-ignore lint/correctness/noEmptyPattern: as above
  lines: async ({}, use) => use([]),
  make: async ({ proxy, lines }, use) => {
    const made: Database[] = [];
    const write = (fields: object | string, message = '') => {
      lines.push(`${typeof fields === 'string' ? fields : JSON.stringify(fields)} ${message}`);
    };
    await use((options) => {
      const database = createDatabase(
        {
          connection: { ...direct, host: '127.0.0.1', port: proxy.port },
          poolSize: 10,
          idleTimeoutMs: 10_000,
          connectTimeoutMs: 60_000,
          statementTimeoutMs: 30_000,
          preparedStatements: 'auto',
          applicationName: 'pool test',
          ...options,
        },
        { debug: write, info: write, warn: write },
      );
      made.push(database);
      return database;
    });
    await Promise.all(made.map((database) => database.close()));
  },
});

async function statementsRunning(): Promise<number> {
  const { rows } = await query(
    own.url,
    `select count(*)::int as running from pg_stat_activity where state = 'active' and query like '%pg_sleep(600)%'
       and datname = current_database() and pid <> pg_backend_pid()`,
  );
  return rows[0].running;
}

/** The error that ended the promise, or undefined. */
const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Asks until the database answers. */
async function untilBack(database: Database, everyMs: number): Promise<void> {
  while (await errorOf(database.pool.query('select 1'))) await sleep(everyMs);
}

/** Opens so many connections and leaves them idle. */
async function openIdle(database: Database, count: number): Promise<void> {
  const clients = await Promise.all(Array.from({ length: count }, () => database.pool.connect()));
  for (const client of clients) client.release();
}

const pidOf = async (database: Database): Promise<number> =>
  (await database.pool.query('select pg_backend_pid() as pid')).rows[0].pid;

describe.concurrent('a direct connection', () => {
  it('has its limits set on the server, and says whose it is', async ({ make }) => {
    const database = make({ statementTimeoutMs: 12_345 });
    const { rows } = await database.pool.query(
      `select current_setting('statement_timeout') as statement, current_setting('application_name') as name,
        current_setting('idle_in_transaction_session_timeout') as idle,
        current_setting('client_connection_check_interval') as gone`,
    );
    expect(rows).toEqual([{ statement: '12345ms', name: 'pool test', idle: '12345ms', gone: '5s' }]);
    expect(database.pooler).toBe(false);
  });

  it('is kept after an error that is only the statement’s', async ({ make }) => {
    const database = make({ statementTimeoutMs: 3_000 });
    const pid = await pidOf(database);
    await expect(database.pool.query('select 1 / 0')).rejects.toMatchObject({ code: '22012' });
    await expect(database.pool.query('select pg_sleep(600)')).rejects.toMatchObject({ code: '57014' });
    expect(await pidOf(database)).toBe(pid);
    expect(database.available).toBe(true);
  });

  it('is closed when it is unused for a while', async ({ proxy, make }) => {
    const database = make({ idleTimeoutMs: 100 });
    await database.pool.query('select 1');
    await vi.waitFor(async () => expect(await (() => database.stats().total)()).toBe(0), WITHIN);
    await vi.waitFor(async () => expect(await (() => proxy.connections)()).toBe(0), WITHIN);
  });

  it('is not handed on in the middle of a transaction', async ({ make }) => {
    const database = make();
    const client = await database.pool.connect();
    await client.query('begin');
    client.release();
    expect(database.stats().total).toBe(0);
  });
});

describe.concurrent('named statements', () => {
  const names = async (database: Database) => {
    const client = await database.pool.connect();
    await client.query({ name: 'by_name', text: 'select $1::int', values: [1] });
    const { rows } = await client.query('select name from pg_prepared_statements');
    client.release();
    return rows.map(({ name }: { name: string }) => name);
  };

  it('are used on a direct connection', async ({ make }) => {
    expect(await names(make())).toEqual(['by_name']);
    expect(await names(make({ preparedStatements: false }))).toEqual([]);
  });

  it('are not, where the address tells of a pooler', async ({ lines, make }) => {
    const database = make({ poolerHint: true });
    expect(await names(database)).toEqual([]);
    expect(database.pooler).toBe(true);
    expect(lines.filter((line) => line.includes('named statements are off'))).toHaveLength(1);
    expect(await names(make({ poolerHint: true, preparedStatements: true }))).toEqual(['by_name']);
  });

  it('are not, where a pooler announces a key of its own, nor is anything set on the server', async ({
    make,
  }) => {
    const pooler = await TcpProxy.start(direct, announceForeignKey);
    const database = make({ connection: { ...direct, port: pooler.port } });
    const { rows } = await database.pool.query(`select current_setting('statement_timeout') as limit`);
    expect(rows).toEqual([{ limit: '0' }]);
    expect(await names(database)).toEqual([]);
    expect(database.pooler).toBe(true);
    await pooler.stop();
  });
});

describe.concurrent('the database is away', () => {
  it('at the start: refused at once, and back as soon as it is', async ({ proxy, lines, make }) => {
    await proxy.refuse();
    const database = make({ connectTimeoutMs: TOO_LATE });
    expect(database.available).toBe(true);
    expect(await errorOf(database.pool.query('select 1'))).toBeInstanceOf(DatabaseUnavailableError);
    expect(database.available).toBe(false);
    const others = await Promise.all(
      Array.from({ length: 50 }, () => errorOf(database.pool.query('select 1'))),
    );
    for (const error of others) {
      expect(error).toMatchObject({ name: 'DatabaseUnavailableError', retryAfterSeconds: 2 });
    }
    await proxy.pass();
    await untilBack(database, 1_000);
    expect(lines.filter((line) => line.includes('is back'))).toHaveLength(1);
  });

  it('while statements run: they fail as unavailable, and nothing is left checked out', async ({
    proxy,
    make,
  }) => {
    const database = make({ statementTimeoutMs: TOO_LATE });
    const running = Array.from({ length: 5 }, () => errorOf(database.db.execute(sql`select pg_sleep(600)`)));
    await vi.waitFor(async () => expect(await statementsRunning()).toBe(5), WITHIN);
    await proxy.refuse();
    for (const error of await Promise.all(running)) {
      expect(findUnavailable(error)?.reason).toMatch(/^connection lost/);
    }
    await vi.waitFor(async () => expect(await (() => database.available)()).toBe(false), WITHIN);
    expect(database.stats()).toEqual({ total: 0, idle: 0, waiting: 0, max: 10 });
    await proxy.pass();
    await untilBack(database, 1_000);
  });

  it('in silence: waiting statements fail long before any limit, so do later ones, and its return is seen', async ({
    proxy,
    make,
  }) => {
    const database = make({ poolSize: 5, connectTimeoutMs: TOO_LATE, statementTimeoutMs: TOO_LATE });
    await database.pool.query('select 1');
    proxy.swallow();
    for (const _ of ['waiting', 'later']) {
      const errors = await Promise.all(
        Array.from({ length: 200 }, () => errorOf(database.pool.query('select 1'))),
      );
      for (const error of errors) expect(error).toBeInstanceOf(DatabaseUnavailableError);
    }
    await proxy.pass();
    await untilBack(database, 1_000);
  });

  it('tells a client nothing, and an operator what to do', async ({ make }) => {
    const cases: [pg.ClientConfig, RegExp][] = [
      [{ ...direct, database: 'no_such_place' }, /"no_such_place" does not exist.*create the database/],
      [{ ...direct, password: 'wrong-password' }, /28P01.*check the user and the password/],
      [{ ...direct, ssl: true }, /does not support SSL.*sslmode=disable/],
      [{ ...direct, host: 'no-such-host.invalid' }, /no-such-host.invalid.*DATABASE_URL/],
    ];
    for (const [connection, reason] of cases) {
      const error = findUnavailable(await errorOf(make({ connection }).db.execute('select 1')));
      expect(error?.message).toBe('The database is not available at the moment.');
      expect(error?.reason).toMatch(reason);
      expect(error?.reason).not.toContain('wrong-password');
    }
  });

  it('is asked by one probe at a time, which can be left alone', async ({ proxy, make }) => {
    const database = make({ connectTimeoutMs: 3_000 });
    proxy.swallow();
    const patience = new AbortController();
    let answered = false;
    const left = errorOf(database.probe(patience.signal)).then((error) => ({ error, answered }));
    const stayed = [database.probe(), database.probe()].map((probe) =>
      errorOf(probe).finally(() => {
        answered = true;
      }),
    );
    const tired = new Error('tired of waiting');
    patience.abort(tired);
    expect(await left).toEqual({ error: tired, answered: false });
    expect(await Promise.all(stayed)).toEqual(Array(2).fill(expect.any(DatabaseUnavailableError)));
    expect(proxy.connections).toBeLessThanOrEqual(1);
  });
});

describe.concurrent('connections that are needed again at once', () => {
  it('are lent the last used first, and closed when they are unused', async ({ make }) => {
    const database = make({ idleTimeoutMs: 10_000 });
    await openIdle(database, 2);
    const pids = new Set<number>();
    for (let i = 0; i < 20; i++) pids.add(await pidOf(database));
    expect(pids.size).toBe(1);
    expect(database.stats()).toEqual({ total: 2, idle: 2, waiting: 0, max: 10 });
    await vi.waitFor(() => expect(database.stats().total).toBe(0), WITHIN);
    // And all over again.
    expect(pids).not.toContain(await pidOf(database));
  });

  it('are given back once, even if released twice', async ({ make }) => {
    const database = make({ poolSize: 1 });
    const first = await database.pool.connect();
    first.release();
    const giveBackAgain = first.release;
    const second = await database.pool.connect();
    giveBackAgain();
    expect(database.stats()).toMatchObject({ total: 1, idle: 0 });
    const third = database.pool.query('select 1');
    await vi.waitFor(() => expect(database.stats().waiting).toBe(1), WITHIN);
    second.release();
    await third;
    expect(database.stats()).toEqual({ total: 1, idle: 1, waiting: 0, max: 1 });
  });

  it('are closed with the others', async ({ make }) => {
    const database = make();
    await openIdle(database, 5);
    expect(database.stats()).toMatchObject({ total: 5, idle: 5 });
    await database.close();
    expect(database.stats()).toMatchObject({ total: 0, idle: 0 });
  });
});

describe.concurrent('connections die', () => {
  it('while idle: no statement fails', async ({ lines, make }) => {
    const database = make();
    const pid = await pidOf(database);
    await query(own.url, 'select pg_terminate_backend($1)', [pid]);
    await vi.waitFor(async () => expect(await (() => database.stats().total)()).toBe(0), WITHIN);
    expect(await pidOf(database)).not.toBe(pid);
    expect(lines.some((line) => line.includes('An idle database connection was closed'))).toBe(true);
  });

  it('unnoticed, as while the process is frozen: the first visitor is served nevertheless', async ({
    proxy,
    make,
  }) => {
    const database = make({ statementTimeoutMs: TOO_LATE });
    await openIdle(database, 8);
    expect(database.stats().idle).toBe(8);
    proxy.forget();
    await sleep(2_100);
    await Promise.all(Array.from({ length: 8 }, () => database.pool.query('select 1')));
    expect(database.available).toBe(true);
  });

  it('in the middle of a transaction: that one fails, the pool stays whole', async ({ make }) => {
    const database = make({ poolSize: 2 });
    for (let round = 0; round < 4; round++) {
      const error = await errorOf(
        database.db.transaction(async (tx) => {
          const { rows } = await tx.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
          await query(own.url, 'select pg_terminate_backend($1)', [rows[0]?.pid]);
          await tx.execute(sql`select 1`);
        }),
      );
      expect(findUnavailable(error)).toBeInstanceOf(DatabaseUnavailableError);
    }
    await database.pool.query('select 1');
    const { total, idle } = database.stats();
    expect(idle).toBe(total);
  });

  it('before a transaction can begin: the connection comes back, though drizzle never returns it', async ({
    proxy,
    make,
  }) => {
    const database = make({ poolSize: 1, statementTimeoutMs: 3_000 });
    await database.pool.query('select 1');
    proxy.forget();
    const error = await errorOf(database.db.transaction((tx) => tx.execute(sql`select 1`)));
    expect(findUnavailable(error)?.reason).toMatch(/no answer within \d s/);
    await database.pool.query('select 1');
  });
});

describe.concurrent('a full pool', () => {
  it('makes waiting end in time, and is no outage', async ({ make }) => {
    const database = make({ poolSize: 1, connectTimeoutMs: 12_000 });
    const held = await database.pool.connect();
    const error = await errorOf(database.pool.query('select 1'));
    expect(error).toMatchObject({ reason: expect.stringContaining('pool exhausted'), retryAfterSeconds: 1 });
    await database.probe();
    expect(database.available).toBe(true);
    held.release();
  });

  it('keeps no connection for a request that was given up while it waited', async ({ make }) => {
    const database = make({ poolSize: 1 });
    const held = await database.pool.connect();
    let wanted = true;
    const transaction = new Promise((resolve, reject) => {
      runAsWorkOf({ wanted: () => wanted }, () => {
        database.db.transaction((tx) => tx.execute(sql`select 1`)).then(resolve, reject);
      });
    });
    wanted = false;
    held.release();
    await expect(transaction).rejects.toMatchObject({ cause: { kind: 'handler-timeout' } });
    await database.pool.query('select 1');
  });

  it('is probed when nothing is answered, and long statements go on', async ({ make }) => {
    const database = make({ poolSize: 1 });
    const running = database.pool.query('select pg_sleep(6.5)');
    await sleep(6_000);
    await database.probe();
    expect(database.available).toBe(true);
    await running;
  });

  it('of the server is an outage only for who has no connection', async ({ make }) => {
    const user = `few_${direct.database}`;
    await query(own.url, `create role ${user} login password 'few' connection limit 2`);
    const database = make({ connection: { ...direct, user, password: 'few' } });
    const held = await Promise.all([database.pool.connect(), database.pool.connect()]);
    expect(await errorOf(database.pool.query('select 1'))).toMatchObject({
      reason: expect.stringMatching(/53300.*DB_POOL_SIZE/),
    });
    expect(database.available).toBe(true);
    const another = make({ connection: { ...direct, user, password: 'few' } });
    expect(await errorOf(another.pool.query('select 1'))).toBeInstanceOf(DatabaseUnavailableError);
    expect(another.available).toBe(false);
    for (const client of held) client.release();
    await database.pool.query('select 1');
    await database.close();
    await untilBack(another, 100);
    await another.close();
    await query(own.url, `drop role ${user}`);
  });
});

it('closes in time, even if a connection is never given back', async ({ make }) => {
  const database = make({ poolSize: 1, statementTimeoutMs: TOO_LATE });
  const client = await database.pool.connect();
  const running = errorOf(client.query('select pg_sleep(600)'));
  const waiting = errorOf(database.pool.query('select 1'));
  await database.close();
  expect(await waiting).toMatchObject({ reason: 'the pool is closed' });
  expect(await running).toBeInstanceOf(DatabaseUnavailableError);
  expect(await errorOf(database.pool.query('select 1'))).toMatchObject({ reason: 'the pool is closed' });
});

import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import {
  createDatabase as createTestDatabase,
  query,
  type TestDatabase,
} from '../../../tests/support/postgres.ts';
import { until } from '../../../tests/support/until.ts';
import { runAsWorkOf } from '../lib/request-work.ts';
import { createDatabase, type Database } from './pool/pool.ts';
import { type Transaction, transaction } from './transaction.ts';

let own: TestDatabase;
let database: Database;
const warnings: object[] = [];
let ran: string[] = [];

beforeAll(async () => {
  own = await createTestDatabase('empty');
  await query(own.url, 'create table rows (value text primary key)');
  database = createDatabase(
    {
      connection: { connectionString: own.url },
      poolSize: 4,
      idleTimeoutMs: 10_000,
      connectTimeoutMs: 60_000,
      statementTimeoutMs: 30_000,
      preparedStatements: 'auto',
      applicationName: 'transactions',
    },
    { debug() {}, info() {}, warn: (fields: object) => void warnings.push(fields) },
  );
});
afterAll(async () => {
  await database.close();
  await own.drop();
});
afterEach(async () => {
  ran = [];
  await query(own.url, 'delete from rows');
});

const insert = (tx: Transaction, value: string) => tx.execute(sql`insert into rows values (${value})`);
const note = (tx: Transaction, what: string) => tx.afterCommit(() => void ran.push(what));
const rows = async () =>
  (await query(own.url, 'select value from rows order by 1')).rows.map(({ value }) => value);

it('calls back once, when others see the rows, and passes the result on', async () => {
  const seen = Promise.withResolvers<string[]>();
  const result = await database.transaction(async (tx) => {
    await insert(tx, 'a');
    tx.afterCommit(() => rows().then(seen.resolve, seen.reject));
    note(tx, 'a');
    expect(ran).toEqual([]);
    return 7;
  });
  expect(result).toBe(7);
  expect(await seen.promise).toEqual(['a']);
  expect(ran).toEqual(['a']);
});

it('calls back nothing after a rollback, whatever caused it', async () => {
  const failing = database.transaction(async (tx) => {
    await insert(tx, 'a');
    note(tx, 'a');
    throw new Error('changed its mind');
  });
  await expect(failing).rejects.toThrow('changed its mind');
  // PostgreSQL answers COMMIT with ROLLBACK here, and no error.
  const swallowed = database.transaction(async (tx) => {
    note(tx, 'b');
    await insert(tx, 'b');
    await insert(tx, 'b').catch(() => {});
  });
  await expect(swallowed).rejects.toMatchObject({ cause: { message: expect.stringMatching(/Rolled back/) } });
  const lost = database.transaction(async (tx) => {
    note(tx, 'c');
    await insert(tx, 'c');
    const { rows } = await tx.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
    await query(own.url, 'select pg_terminate_backend($1)', [rows[0]?.pid]);
  });
  await expect(lost).rejects.toThrow();
  expect(await rows()).toEqual([]);
  await database.transaction(async (tx) => note(tx, 'd'));
  await until('the last one', () => ran.length > 0);
  expect(ran).toEqual(['d']);
});

it('calls back for a savepoint that was kept, and not for one that was undone', async () => {
  await database.transaction(async (tx) => {
    await tx.transaction(async (inner) => {
      await insert(inner, 'kept');
      await inner.transaction(async (innermost) => note(innermost, 'innermost'));
      note(inner, 'kept');
    });
    const undone = tx.transaction(async (inner) => {
      await insert(inner, 'undone');
      note(inner, 'undone');
      throw new Error('undo');
    });
    await undone.catch(() => {});
  });
  await until('the callbacks', () => ran.length === 2);
  expect(ran).toEqual(['innermost', 'kept']);
  expect(await rows()).toEqual(['kept']);
});

it('logs what a callback throws, calls the others, and needs `db` alone', async () => {
  await transaction(database.db, async (tx) => {
    tx.afterCommit(() => {
      throw new Error('at once');
    });
    tx.afterCommit(() => Promise.reject(new Error('later')));
    note(tx, 'third');
  });
  await until('both errors', () => warnings.length === 2);
  expect(warnings).toMatchObject([{ err: { message: 'at once' } }, { err: { message: 'later' } }]);
  expect(ran).toEqual(['third']);
});

it('lets callbacks query although nobody waits for the request any more', async () => {
  let wanted = true;
  const seen = Promise.withResolvers<string[]>();
  runAsWorkOf({ wanted: () => wanted }, () => {
    database
      .transaction(async (tx) => {
        await insert(tx, 'a');
        tx.afterCommit(async () => {
          wanted = false;
          const { rows } = await database.db.execute<{ value: string }>(sql`select value from rows`);
          seen.resolve(rows.map(({ value }) => value));
        });
      })
      .catch(seen.reject);
  });
  expect(await seen.promise).toEqual(['a']);
});

import pg from 'pg';
import { describe, expect } from 'vitest';
import { type Files, it, refusal, type Scene } from '../../../tests/support/migration-scene.ts';
import { migrationStatus } from '../../platform/database/migrations/status.ts';

const ACCOUNTS: Files = {
  '0000_accounts': 'CREATE TABLE accounts (id serial PRIMARY KEY, balance integer NOT NULL DEFAULT 0);',
};
const CENTS: Files = { '0001_cents': 'UPDATE accounts SET balance = balance * 100;' };
const OWNER: Files = { '0002_owner': 'ALTER TABLE accounts ADD COLUMN owner text;' };

const balances = async ({ sql }: Scene) =>
  (await sql('SELECT balance FROM accounts ORDER BY id')).map(({ balance }) => balance);

/** A database that has been served, and then restored from a dump of its tables alone: without the journal. */
async function restored(scene: Scene, files: Files, rows: string): Promise<void> {
  await scene.write({ ...ACCOUNTS });
  await scene.run();
  await scene.sql(rows);
  await scene.write(files);
  await scene.run();
  await scene.sql('DROP SCHEMA drizzle CASCADE');
}
const FIVE = 'INSERT INTO accounts (balance) VALUES (5)';

describe.concurrent('a restored database', () => {
  it('is looked at once more where the database stood still', async ({ scene }) => {
    const files = {
      ...ACCOUNTS,
      '0001_seen': `CREATE SEQUENCE looks;
        CREATE FUNCTION stand_still() RETURNS boolean LANGUAGE plpgsql AS
          $$ BEGIN IF nextval('looks') = 2 THEN PERFORM pg_sleep(60); END IF; RETURN true; END $$;
        CREATE VIEW seen AS SELECT * FROM accounts WHERE stand_still();`,
      '0002_more': 'UPDATE seen SET balance = balance + 1;',
    };
    await restored(scene, files, FIVE);
    expect(await refusal(scene.run())).toMatchObject({ code: 'rows', migration: '0002_more' });
  });

  for (const [place, files] of Object.entries({
    last: { ...ACCOUNTS, ...CENTS },
    'before a column': { ...ACCOUNTS, ...CENTS, ...OWNER },
  })) {
    it(`whose data migration stands ${place}: no row is changed, and both ways out are named`, async ({
      scene,
    }) => {
      await restored(scene, files, FIVE);
      expect(await balances(scene)).toEqual([500]);
      const [error] = await Promise.all([refusal(scene.run()), refusal(scene.run())]);
      expect(await balances(scene)).toEqual([500]);
      expect(error).toMatchObject({ code: 'rows', migration: '0001_cents' });
      for (const part of [
        '0001_cents.sql',
        'UPDATE accounts SET balance = balance * 100',
        'accounts holds rows',
        'migrate --adopt=record',
        'migrate --adopt=run',
        'MIGRATE_ADOPT=record',
        'MIGRATE_ADOPT=run',
      ])
        expect(error.message).toContain(part);
      expect(await scene.sql(`SELECT to_regclass('drizzle.__drizzle_migrations') AS it`)).toEqual([
        { it: null },
      ]);
      const status = await migrationStatus(scene.options());
      expect(status.problem?.message).toBe(error.message);
      expect(status.entries.map(({ doubtful }) => doubtful)).toEqual(
        Object.keys(files).map((name) => (name === '0001_cents' ? true : undefined)),
      );
    });

    it(`whose data migration stands ${place}: is recorded as it is where the operator says so`, async ({
      scene,
    }) => {
      await restored(scene, files, FIVE);
      const status = await migrationStatus(scene.options({ adopt: 'record' }));
      expect(status.problem).toBeUndefined();
      expect(status.entries[1]).toMatchObject({ inPlace: true, sql: '' });
      const reports = await Promise.all([1, 2].map(() => scene.run({ adopt: 'record' })));
      expect(reports.flatMap(({ adopted }) => adopted)).toEqual(Object.keys(files));
      expect(await balances(scene)).toEqual([500]);
      expect(await scene.run()).toMatchObject({ adopted: [], applied: [] });
    });

    it(`whose data migration stands ${place}: is changed where the operator says so`, async ({ scene }) => {
      await restored(scene, files, FIVE);
      const reports = await Promise.all([1, 2].map(() => scene.run({ adopt: 'run' })));
      expect(reports.flatMap(({ adopted, applied }) => [...adopted, ...applied])).toHaveLength(
        Object.keys(files).length,
      );
      expect(await balances(scene)).toEqual([50_000]);
      expect(await scene.run()).toMatchObject({ adopted: [], applied: [] });
    });
  }

  for (const statement of [
    'INSERT INTO accounts (balance) SELECT balance FROM accounts;',
    'DELETE FROM accounts WHERE balance > 4;',
    'TRUNCATE accounts;',
    'MERGE INTO accounts a USING (SELECT 1) b ON true WHEN MATCHED THEN UPDATE SET balance = a.balance * 2;',
    'WITH a AS (SELECT 1) UPDATE accounts SET balance = balance * 2;',
    'DO $$ BEGIN UPDATE accounts SET balance = balance * 2; END $$;',
    `SELECT setval('accounts_id_seq', 40);`,
    'ALTER TABLE accounts ALTER COLUMN balance TYPE integer USING balance * 2;',
    'ALTER SEQUENCE accounts_id_seq RESTART WITH 1;',
    'DROP TABLE IF EXISTS accounts;\nCREATE TABLE IF NOT EXISTS accounts (id serial PRIMARY KEY, balance integer NOT NULL DEFAULT 0);',
  ]) {
    it(`is left alone by: ${statement.slice(0, 60)}`, async ({ scene }) => {
      await scene.write(ACCOUNTS);
      await scene.run();
      await scene.sql(`${FIVE}; DROP SCHEMA drizzle CASCADE`);
      await scene.write({ ...ACCOUNTS, '0001_rows': statement });
      expect(await refusal(scene.run())).toMatchObject({ code: 'rows', migration: '0001_rows' });
      expect(await balances(scene)).toEqual([5]);
      expect(await scene.run({ adopt: 'record' })).toMatchObject({ adopted: ['0000_accounts', '0001_rows'] });
      expect(await balances(scene)).toEqual([5]);
    });
  }

  const DOUBLES = `CREATE OR REPLACE FUNCTION dbl() RETURNS int LANGUAGE sql AS 'UPDATE accounts SET balance = balance * 2 RETURNING 1'`;
  const LOG = 'CREATE TABLE IF NOT EXISTS log (x int)';
  /** What stands in the database besides (or the table's name), and the migration. */
  for (const [before, statement] of [
    ['größe', 'UPDATE größe SET balance = balance * 2;'],
    ['größe', 'DELETE FROM größe WHERE balance > 4;'],
    ['', 'UPDATE ONLY (accounts) SET balance = balance * 2;'],
    ['', 'DO $x$ BEGIN UPDATE ONLY (accounts) SET balance = balance * 2; END $x$;'],
    ['', 'DO /* $$ $$ */ $x$ BEGIN UPDATE accounts SET balance = balance * 2; END $x$;'],
    ['', `DO $$ BEGIN DROP TABLE accounts; ${ACCOUNTS['0000_accounts']} END $$;`],
    ['', 'DELETE FROM ONLY (accounts) WHERE balance > 4;'],
    ['', String.raw`UPDATE U&"acc\006funts" SET balance = balance * 2;`],
    ['CREATE TABLE u (balance int)', String.raw`UPDATE U&"acc\006funts" SET balance = balance * 2;`],
    ['', "COPY (UPDATE accounts SET balance = balance * 2 RETURNING 1) TO PROGRAM 'cat > /dev/null';"],
    ['', 'ALTER TABLE ONLY (accounts) ALTER balance TYPE integer USING balance * 2;'],
    ['', `SELECT 1 /* a /* b */ ' */; UPDATE accounts SET balance = balance * 2 /* ' */;`],
    [`${LOG}; ${DOUBLES}`, 'INSERT INTO log SELECT dbl();'],
    [`${LOG}; ${DOUBLES}`, 'INSERT INTO log SELECT "dbl" ();'],
    [LOG, `${DOUBLES}; INSERT INTO log SELECT dbl();`],
    [DOUBLES.replace('dbl()', 'dbl(accounts)'), 'SELECT a.dbl FROM accounts a;'],
    [LOG, `INSERT INTO log SELECT setval('accounts_id_seq', 40);`],
    [
      `${LOG}; CREATE RULE more AS ON INSERT TO log DO ALSO UPDATE accounts SET balance = balance * 2`,
      'INSERT INTO log VALUES (1);',
    ],
    [
      'CREATE VIEW rich AS SELECT * FROM accounts WHERE balance > 100',
      'INSERT INTO rich (balance) VALUES (1);',
    ],
    [
      'CREATE TABLE money (n int); CREATE SCHEMA other; CREATE TABLE other.money AS SELECT 5 AS n',
      'SET search_path TO other; UPDATE money SET n = n * 2;',
    ],
  ] as const) {
    it(`is left alone by what hides its target: ${statement.slice(0, 70)} ${before.slice(0, 40)}`, async ({
      scene,
    }) => {
      const table = before === 'größe' ? before : 'accounts';
      const own = (sql = '') => sql.replace('accounts', table);
      const files = { '0000_accounts': own(ACCOUNTS['0000_accounts']) };
      await scene.write(files);
      await scene.run();
      if (before !== table) await scene.sql(before);
      await scene.sql(`${own(FIVE)}; DROP SCHEMA drizzle CASCADE`);
      await scene.write({ ...files, '0001_rows': statement });
      expect(await refusal(scene.run())).toMatchObject({ code: 'rows', migration: '0001_rows' });
      expect(await scene.sql(`SELECT balance FROM ${table}`)).toEqual([{ balance: 5 }]);
    });
  }

  it('keeps a table that a migration drops and makes again', async ({ scene }) => {
    const files = {
      ...ACCOUNTS,
      '0001_again':
        'DROP TABLE IF EXISTS accounts; CREATE TABLE accounts (id serial PRIMARY KEY, balance integer NOT NULL, note text);',
    };
    await scene.write(files);
    await scene.run();
    await scene.sql(`${FIVE}; DROP SCHEMA drizzle CASCADE`);
    expect(await scene.run()).toMatchObject({ adopted: Object.keys(files) });
    expect(await balances(scene)).toEqual([5]);
  });

  it('is adopted where nothing changes rows, and where what is changed is empty', async ({ scene }) => {
    const files = {
      ...ACCOUNTS,
      '0001_plans': 'CREATE TABLE plans (name text);',
      '0002_seed': `INSERT INTO plans VALUES ('free'), ('paid');`,
      '0003_more': `ALTER TABLE accounts ADD COLUMN plan text NOT NULL DEFAULT 'free', ALTER COLUMN balance SET DEFAULT 1;`,
    };
    await restored(scene, files, FIVE);
    await scene.sql('TRUNCATE plans');
    expect(await scene.run()).toMatchObject({ adopted: Object.keys(files) });
    expect(await scene.sql('SELECT name FROM plans ORDER BY 1')).toEqual([
      { name: 'free' },
      { name: 'paid' },
    ]);
  });

  it('is changed by what cannot have run yet: the next column is not there', async ({ scene }) => {
    await restored(scene, ACCOUNTS, FIVE);
    await scene.write({
      ...ACCOUNTS,
      '0001_owner': `ALTER TABLE accounts ADD COLUMN owner text; UPDATE accounts SET owner = 'nobody';`,
      '0002_cents': CENTS['0001_cents'] ?? '',
    });
    expect(await scene.run()).toMatchObject({
      adopted: ['0000_accounts'],
      applied: ['0001_owner', '0002_cents'],
    });
    expect(await balances(scene)).toEqual([500]);
  });

  it('whose recording is killed half-way is as before', async ({ scene }) => {
    const files = {
      ...ACCOUNTS,
      '0001_slow': 'CREATE OR REPLACE VIEW rich AS SELECT * FROM accounts WHERE balance > 100;',
      ...{ '0002_cents': CENTS['0001_cents'] ?? '' },
    };
    await restored(scene, files, FIVE);
    // A reader keeps a view from being replaced; so the adoption waits, and is stopped.
    const holder = new pg.Client({ connectionString: scene.url });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE rich IN ACCESS SHARE MODE');
    const stop = new AbortController();
    const isWaiting = Promise.withResolvers<void>();
    const running = scene.run({ adopt: 'record', signal: stop.signal, onWaiting: () => isWaiting.resolve() });
    await Promise.race([isWaiting.promise, running]);
    stop.abort();
    await expect(running).rejects.toBe(stop.signal.reason);
    await holder.end();
    expect(await balances(scene)).toEqual([500]);
    expect(await refusal(scene.run())).toMatchObject({ code: 'rows' });
  });
});

describe.concurrent('an array whose default is empty', () => {
  for (const type of ['text[]', 'integer[]', 'varchar(20)[]']) {
    it(`is adopted as drizzle-kit makes it: ${type}`, async ({ scene }) => {
      await scene.write({ '0000_tags': `CREATE TABLE tagged (id int, tags ${type} DEFAULT '{}' NOT NULL);` });
      const made = type === 'integer[]' ? '{}' : '{""}';
      await scene.sql(`CREATE TABLE tagged (id int, tags ${type} DEFAULT '${made}' NOT NULL)`);
      expect(await scene.run()).toMatchObject({ adopted: ['0000_tags'] });
      await scene.sql('INSERT INTO tagged (id) VALUES (1)');
      expect(await scene.sql('SELECT tags FROM tagged')).toEqual([{ tags: [] }]);
    });
  }
});

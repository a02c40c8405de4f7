import { execFile, spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as drizzleMigrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { describe, expect, vi } from 'vitest';
import { type Files, it, refusal } from '../../../../tests/support/migration-scene.ts';
import { announceForeignKey } from '../../../../tests/support/tcp-proxy.ts';
import type { MigrationReport } from './migrator.ts';
import { migrationStatus } from './status.ts';

/** `expect.poll` loses its test where several run at once. */
const WITHIN = { timeout: 60_000, interval: 50 };

const CHILD = resolve(import.meta.dirname, '../../../../tests/support/migrate-process.ts');

const THREE: Files = {
  '0000_tables':
    'CREATE TABLE a (id serial primary key, n int);\n--> statement-breakpoint\nCREATE TABLE b (n int);',
  '0001_rows': 'INSERT INTO a (n) SELECT n FROM generate_series(1, 10) AS n;',
  '0002_more': 'UPDATE a SET n = n + 1;',
};
const SLOW_INDEX: Files = {
  '0003_index': '-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS "a_n" ON "a" ("n");',
};
/** Sleeps as long as a table says, so that a test decides when. */
const PATIENT: Files = {
  '0000_patient':
    'CREATE TABLE done (n int);\n--> statement-breakpoint\nSELECT pg_sleep(seconds) FROM patience;',
};
const impatient = `UPDATE patience SET seconds = 0`;
const sleepers = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(seconds)%' AND pid <> pg_backend_pid()`;

describe('many at once', () => {
  it('16 processes, an empty database: each migration once', async ({ scene }) => {
    const folder = await scene.write({ ...THREE, ...SLOW_INDEX });
    const run = promisify(execFile);
    const reports = await Promise.all(
      Array.from({ length: 16 }, async (): Promise<MigrationReport> => {
        const { stdout } = await run(process.execPath, [CHILD, scene.url, folder]);
        return JSON.parse(stdout);
      }),
    );
    expect(reports.flatMap(({ applied }) => applied).sort()).toEqual(
      Object.keys({ ...THREE, ...SLOW_INDEX }),
    );
    for (const { applied, alreadyApplied } of reports) expect(applied.length + alreadyApplied).toBe(4);
    expect(await scene.sql('SELECT sum(n)::int AS sum FROM a')).toEqual([{ sum: 65 }]);
  });

  it('16 starters, ten rounds: rows are changed once', async ({ scene }) => {
    await scene.write({ ...THREE, ...SLOW_INDEX });
    for (let round = 0; round < 10; round++) {
      const reports = await Promise.all(Array.from({ length: 16 }, () => scene.run()));
      expect(reports.flatMap(({ applied }) => applied)).toHaveLength(4);
      expect(await scene.sql('SELECT sum(n)::int AS sum, count(*)::int FROM a')).toEqual([
        { sum: 65, count: 10 },
      ]);
      expect(await scene.sql('SELECT count(*)::int FROM drizzle.__drizzle_migrations')).toEqual([
        { count: 4 },
      ]);
      await scene.sql('DROP SCHEMA drizzle CASCADE; DROP TABLE a, b');
    }
  });

  it('a holder that is killed: another takes over', async ({ scene, onTestFinished }) => {
    await scene.sql('CREATE TABLE patience AS SELECT 600 AS seconds');
    const folder = await scene.write(PATIENT);
    const holder = spawn(process.execPath, [CHILD, scene.url, folder]);
    onTestFinished(() => void holder.kill('SIGKILL'));
    await vi.waitFor(async () => expect(await scene.sql(sleepers)).toHaveLength(1), WITHIN);
    const waiting: string[] = [];
    const successor = scene.run({ onWaiting: (why) => waiting.push(why) });
    await vi.waitFor(async () => expect(await (() => waiting)()).toHaveLength(1), WITHIN);
    expect(waiting[0]).toMatch(/another process is migrating \(backend \d+/);
    await scene.sql(impatient);
    holder.kill('SIGKILL');
    expect(await successor).toMatchObject({ applied: ['0000_patient'] });
  });
});

describe.concurrent('the history', () => {
  it('of drizzle-orm and ours is the same', async ({ scene }) => {
    const folder = await scene.write(THREE);
    const pool = new pg.Pool({ connectionString: scene.url });
    await scene.run();
    await drizzleMigrate(drizzle({ client: pool }), { migrationsFolder: folder });
    expect(await scene.sql('SELECT count(*)::int FROM drizzle.__drizzle_migrations')).toEqual([{ count: 3 }]);

    await scene.sql('DROP SCHEMA drizzle CASCADE; DROP TABLE a, b');
    await drizzleMigrate(drizzle({ client: pool }), { migrationsFolder: folder });
    await pool.end();
    expect(await scene.run()).toMatchObject({ applied: [], alreadyApplied: 3, ahead: [] });
  });

  it('may be empty, or have no folder at all', async ({ scene }) => {
    const nothing = { applied: [], alreadyApplied: 0, ahead: [] };
    await scene.write({});
    expect(await scene.run()).toMatchObject(nothing);
    expect(await scene.run({ folder: join(tmpdir(), 'there-is-no-such-folder') })).toMatchObject(nothing);
  });

  it('with an edited migration is refused', async ({ scene }) => {
    await scene.write(THREE);
    await scene.run();
    await scene.write({ ...THREE, '0001_rows': 'INSERT INTO a (n) VALUES (1);', '0003_next': 'SELECT 1;' });
    const error = await refusal(scene.run());
    expect(error).toMatchObject({ code: 'edited', migration: '0001_rows' });
    expect(error.message).toContain('0001_rows.sql was changed after it had been applied');
  });

  it('with one out of order is refused', async ({ scene }) => {
    const { '0001_rows': _rows, ...others } = THREE;
    await scene.write(others);
    await scene.run();
    await scene.write(THREE);
    expect(await refusal(scene.run())).toMatchObject({ code: 'out-of-order', migration: '0001_rows' });
  });

  it('with one whose file is gone is refused, though newer files are there', async ({ scene }) => {
    await scene.write(THREE);
    await scene.run();
    const { '0001_rows': _rows, ...others } = THREE;
    await scene.write(others);
    const error = await refusal(scene.run());
    expect(error.code).toBe('missing-file');
    expect(error.message).toContain('2023-11-14T22:13:21');
  });

  it('that is ahead of the files is accepted, and said', async ({ scene }) => {
    await scene.write(THREE);
    await scene.run();
    const { '0002_more': _more, ...older } = THREE;
    await scene.write(older);
    const report = await scene.run();
    expect(report).toMatchObject({ applied: [], alreadyApplied: 2 });
    expect(report.ahead).toHaveLength(1);
    expect(scene.lines.filter((line) => line.includes('as after a rollback'))).toHaveLength(1);
  });

  it('recorded under another date, but the same to the letter, is not applied again', async ({ scene }) => {
    await scene.write(THREE);
    await scene.run();
    await scene.write(THREE, [1_700_000_000_000, 1_700_000_001_000, 1_700_000_009_000]);
    expect(await scene.run()).toMatchObject({ applied: [], alreadyApplied: 3, ahead: [] });
  });

  it('in a folder that contradicts itself is refused before the database is asked', async ({ scene }) => {
    const connection = { host: '127.0.0.1', port: 1 };
    await scene.write(THREE, [3, 2, 4]);
    expect(await refusal(scene.run({ connection }))).toMatchObject({
      code: 'malformed',
      migration: '0001_rows',
    });

    const folder = await scene.write(THREE);
    await writeFile(join(folder, '0007_stray.sql'), 'SELECT 1;');
    expect(await refusal(scene.run({ connection }))).toMatchObject({
      code: 'malformed',
      migration: '0007_stray',
    });

    await scene.write(THREE);
    await rm(join(folder, '0002_more.sql'));
    expect(await refusal(scene.run({ connection }))).toMatchObject({
      code: 'missing-file',
      migration: '0002_more',
    });

    await scene.write(THREE);
    await writeFile(join(folder, 'meta', '_journal.json'), '<<<<<<< HEAD');
    expect((await refusal(scene.run({ connection }))).message).toContain('merge conflicts');
  });

  it('can be looked at without changing anything', async ({ scene }) => {
    const { '0002_more': more, ...older } = THREE;
    await scene.write(THREE);
    expect((await migrationStatus(scene.options())).entries.map(({ state }) => state)).toEqual(
      Array(3).fill('pending'),
    );
    expect(await scene.sql(`SELECT to_regnamespace('drizzle') AS schema`)).toEqual([{ schema: null }]);
    await scene.write(older);
    await scene.run();
    await scene.write(THREE);
    const { entries, problem } = await migrationStatus(scene.options());
    expect(problem).toBeUndefined();
    expect(entries.at(-1)).toMatchObject({ name: '0002_more', state: 'pending', sql: more });
    expect(entries[0]).toMatchObject({ name: '0000_tables', state: 'applied' });
    await scene.write({ ...THREE, '0000_tables': 'SELECT 1;' });
    expect((await migrationStatus(scene.options())).problem).toMatchObject({ code: 'edited' });
  });

  it('with nothing pending costs no second connection', async ({ scene }) => {
    await scene.write(THREE);
    await scene.run();
    const look = new pg.Pool({ connectionString: scene.url });
    expect(await scene.run({ look, connection: { host: '127.0.0.1', port: 1 } })).toMatchObject({
      alreadyApplied: 3,
    });
    await look.end();
  });
});

describe.concurrent('a migration', () => {
  it('that fails is rolled back, and shown with its line', async ({ scene }) => {
    await scene.write({
      ...THREE,
      '0003_broken':
        'CREATE TABLE c (n int);\n--> statement-breakpoint\n-- a comment\nALTER TABLE a\n  ADD COLUMN n int;\n--> statement-breakpoint\nSELECT 1;',
    });
    const error = await refusal(scene.run());
    expect(error).toMatchObject({ code: 'sql', migration: '0003_broken' });
    expect(error.message).toContain(
      '0003_broken.sql failed at line 3: column "n" of relation "a" already exists (42701)',
    );
    expect(await scene.sql(`SELECT to_regclass('c') AS c`)).toEqual([{ c: null }]);
    expect(await scene.sql('SELECT count(*)::int FROM drizzle.__drizzle_migrations')).toEqual([{ count: 3 }]);

    await scene.write({ ...THREE, '0003_broken': 'CREATE TABLE c (n int);\nSELECT m\nFROM c;' });
    expect((await refusal(scene.run())).message).toContain(
      'at line 2: column "m" does not exist (42703)\n  SELECT m',
    );
    await scene.write({ ...THREE, '0003_broken': 'CREATE TABLE c (n int);' });
    expect(await scene.run()).toMatchObject({ applied: ['0003_broken'], alreadyApplied: 3 });
  });

  it('without a transaction holds one statement', async ({ scene }) => {
    await scene.write({ '0000_two': '-- no-transaction\nCREATE TABLE a (n int); CREATE TABLE b (n int);' });
    expect((await refusal(scene.run())).message).toContain('cannot insert multiple commands');
    expect(await scene.sql(`SELECT to_regclass('a') AS a`)).toEqual([{ a: null }]);
  });

  it('drops the invalid index that a failed try has left', async ({ scene }) => {
    await scene.sql('CREATE TABLE "My a" (n int); INSERT INTO "My a" VALUES (1), (1)');
    await scene.write({
      '0000_unique':
        '-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "a_N" ON public."My a" (n);',
    });
    expect((await refusal(scene.run())).message).toContain('outside a transaction');
    const validity = `SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('"a_N"')`;
    expect(await scene.sql(validity)).toEqual([{ indisvalid: false }]);
    await scene.sql('DELETE FROM "My a"');
    expect(await scene.run()).toMatchObject({ applied: ['0000_unique'] });
    expect(await scene.sql(validity)).toEqual([{ indisvalid: true }]);
  });

  it('does not make others wait while it waits for a lock', async ({ scene }) => {
    await scene.write(THREE);
    await scene.run();
    await scene.write({ ...THREE, '0003_alter': 'ALTER TABLE a ADD COLUMN more int;' });
    const reader = new pg.Client({ connectionString: scene.url });
    await reader.connect();
    await reader.query('BEGIN; SELECT * FROM a');
    const waiting: string[] = [];
    const migrating = scene.run({ onWaiting: (why) => waiting.push(why) });
    const visitor = new pg.Client({ connectionString: scene.url });
    await visitor.connect();
    // The reader keeps its lock: who stood behind an ALTER that waits for it would never be answered.
    const end = performance.now() + 4_000;
    while (waiting.length === 0 || performance.now() < end) await visitor.query('SELECT count(*) FROM a');
    expect(waiting).toEqual([
      expect.stringContaining('0003_alter needs a lock that other transactions hold'),
    ]);
    await reader.query('COMMIT');
    expect(await migrating).toMatchObject({ applied: ['0003_alter'] });
    await Promise.all([reader.end(), visitor.end()]);
  });

  it('that loses its connection starts anew', async ({ scene }) => {
    const { proxy, connection } = await scene.proxied();
    await scene.sql('CREATE TABLE patience AS SELECT 600 AS seconds');
    await scene.write(PATIENT);
    const migrating = scene.run({ connection });
    await vi.waitFor(async () => expect(await scene.sql(sleepers)).toHaveLength(1), WITHIN);
    await scene.sql(impatient);
    proxy.cut();
    expect(await migrating).toMatchObject({ applied: ['0000_patient'] });
    expect(scene.lines.some((line) => line.includes('connection lost'))).toBe(true);
  });
});

describe.concurrent('stopped', () => {
  it('it cancels what runs, and all of it is rolled back', async ({ scene }) => {
    await scene.sql('CREATE TABLE patience AS SELECT 600 AS seconds');
    await scene.write(PATIENT);
    const stop = new AbortController();
    const migrating = scene.run({ signal: stop.signal });
    await vi.waitFor(async () => expect(await scene.sql(sleepers)).toHaveLength(1), WITHIN);
    stop.abort(new Error('SIGTERM'));
    await expect(migrating).rejects.toThrow('SIGTERM');
    await vi.waitFor(async () => expect(await scene.sql(sleepers)).toEqual([]), WITHIN);
    expect(await scene.sql(`SELECT to_regclass('done') AS done`)).toEqual([{ done: null }]);
    await scene.sql(impatient);
    expect(await scene.run()).toMatchObject({ applied: ['0000_patient'] });
  });

  it('while it waits for another, or for the database, it stops waiting', async ({ scene }) => {
    const { proxy, connection } = await scene.proxied();
    await scene.write(THREE);
    const holder = new pg.Client({ connectionString: scene.url });
    await holder.connect();
    await holder.query(`SELECT pg_advisory_lock(x'666c696768746c69'::bigint)`);
    const away = { host: '127.0.0.1', port: 1 };
    proxy.swallow();
    for (const more of [{}, { connection: away }, { connection }]) {
      const stop = new AbortController();
      const migrating = scene.run({ signal: stop.signal, ...more });
      setTimeout(() => stop.abort(new Error('SIGTERM')), 400);
      await expect(migrating).rejects.toThrow('SIGTERM');
    }
    await holder.end();
    expect(await scene.sql(`SELECT to_regclass('a') AS a`)).toEqual([{ a: null }]);
  });
});

describe.concurrent('a database that is away', () => {
  it('is waited for, and its return is seen', async ({ scene }) => {
    const { proxy, connection } = await scene.proxied();
    await scene.write(THREE);
    await proxy.refuse();
    const waiting: string[] = [];
    const migrating = scene.run({ connection, onWaiting: (why) => waiting.push(why) });
    await vi.waitFor(() => expect(waiting).not.toEqual([]), WITHIN);
    await sleep(1_500);
    await proxy.pass();
    expect(await migrating).toMatchObject({ applied: Object.keys(THREE) });
    expect(waiting).toEqual([expect.stringContaining('ECONNREFUSED')]);
  });

  it('is asked again when it falls silent', async ({ scene }) => {
    const { proxy, connection } = await scene.proxied();
    await scene.write(THREE);
    await proxy.refuse();
    const migrating = scene.run({ connection });
    await sleep(300);
    proxy.swallow();
    await proxy.pass();
    proxy.swallow();
    await sleep(3_000);
    await proxy.pass();
    expect(await migrating).toMatchObject({ applied: Object.keys(THREE) });
  });
});

describe.concurrent('behind a pooler', () => {
  it('nothing is refused as long as nothing is pending', async ({ scene }) => {
    const { connection } = await scene.proxied(announceForeignKey);
    await scene.write(THREE);
    const error = await refusal(scene.run({ connection }));
    expect(error.code).toBe('pooler');
    expect(error.message).toContain('Set DATABASE_DIRECT_URL');
    await scene.run();
    expect(await scene.run({ connection })).toMatchObject({ alreadyApplied: 3 });
  });

  it('it goes on when the operator has named that one as direct, and says so', async ({ scene }) => {
    const { connection } = await scene.proxied(announceForeignKey);
    await scene.write({ ...THREE, ...SLOW_INDEX });
    expect((await scene.run({ connection, directUrlConfigured: true })).applied).toHaveLength(4);
    expect(scene.lines.some((line) => line.includes('DATABASE_DIRECT_URL leads to a pooler'))).toBe(true);
  });
});

import { describe, expect, it } from 'vitest';
import { type Statement, splitStatements } from '../../platform/database/migrations/statements.ts';
import { rowChange } from './row-changes.ts';

const one = (sql: string) => splitStatements(sql)[0] as Statement;
const changed = (sql: string) => {
  const change = rowChange(one(sql));
  return change === undefined || change === 'any' ? change : change.tables;
};

describe('rows are changed', () => {
  it.each([
    ['UPDATE accounts SET balance = balance * 100', ['accounts']],
    ['update only "public"."accounts" set a = 1', ['"public"."accounts"']],
    ["INSERT INTO a (b) VALUES ('update c') ON CONFLICT DO NOTHING", ['a']],
    ['insert into a select f(b) from c', ['a']],
    ['DELETE FROM a USING b WHERE true', ['a']],
    ['TRUNCATE TABLE a', ['a']],
    ['truncate a, b', 'any'],
    ['truncate a cascade', 'any'],
    ['MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE', ['a']],
    ['WITH old AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM old', ['a', 'b']],
    ['with x as (select 1) update a set b = 1', ['a']],
    ["COPY a FROM '/tmp/a.csv'", ['a']],
    ["SELECT setval('a_id_seq', 1)", 'any'],
    ['select fill_in()', 'any'],
    ['CALL fill_in()', 'any'],
    ['DO $$ BEGIN UPDATE a SET b = 1; END $$', ['a']],
    ['DO $$ BEGIN PERFORM fill_in(); END $$', 'any'],
    ["DO $$ BEGIN EXECUTE 'update a set b = 1'; END $$", 'any'],
    ["DO 'begin update a set b = 1; end'", 'any'],
    ['UPDATE größe SET a = 1', ['größe']],
    ['UPDATE "Über".t SET a = 1', ['"Über".t']],
    ['UPDATE/* a */only/* b */( "a" )SET a = 1', ['"a"']],
    ['WITH a AS (SELECT 1) UPDATE a SET b = 1', ['a']],
    ['MERGE INTO ONLY (a) USING b ON true WHEN MATCHED THEN UPDATE SET c = 1', ['a']],
    ['INSERT INTO a VALUES (1) ON CONFLICT (b) DO UPDATE SET c = 1', ['a']],
    ['UPDATE one.two.three SET a = 1', 'any'],
    ['UPDATE U&"d\\0061ta" SET a = 1', 'any'],
    ['COPY U&"d\\0061ta" FROM stdin', 'any'],
    ['COPY (DELETE FROM a RETURNING *) TO stdout', ['a']],
    ['EXPLAIN ANALYZE UPDATE a SET b = 1', ['a']],
    ['INSERT INTO a SELECT setval(b, 1)', 'any'],
    ['DO $$ BEGIN IF true THEN UPDATE a SET b = 1; END IF; END $$', ['a']],
    ['DO $$ BEGIN IF true THEN UPDATE set SET b = 1; END IF; END $$', ['set']],
    ['DO $$ BEGIN UPDATE"a"SET b = 1; END $$', 'any'],
    ['DO $größe$ BEGIN UPDATE a SET b = 1; END $größe$', ['a']],
    ['DO $$ BEGIN COPY a FROM program $x$y$x$; END $$', 'any'],
    ['DO $$ DECLARE n int := fill_in(); BEGIN END $$', 'any'],
    ['DO LANGUAGE plpython3u $$ a() $$', 'any'],
    ['import foreign schema a from server b into c', 'any'],
  ])('by %s: %j', (sql, tables) => {
    expect(changed(sql)).toEqual(tables);
  });

  it.each([
    'CREATE TABLE a (n int)',
    "ALTER TABLE a ADD COLUMN b int NOT NULL DEFAULT 0, ALTER c SET DEFAULT 'x'",
    'ALTER TABLE a ADD CONSTRAINT b FOREIGN KEY (c) REFERENCES d ON DELETE cascade ON UPDATE no action',
    'CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ UPDATE a SET b = 1 $$',
    "COMMENT ON TABLE a IS 'x'",
    'GRANT UPDATE ON a TO b',
    'REFRESH MATERIALIZED VIEW a',
    "select set_config('search_path', '', false)",
    'select 1',
    'copy a to stdout',
  ])('not by %s', (sql) => {
    expect(changed(sql) ?? []).toEqual([]);
  });

  it('not by a block as drizzle-kit once wrote them', () => {
    const block = `DO $$ BEGIN
 ALTER TABLE "a" ADD CONSTRAINT "b" FOREIGN KEY ("c") REFERENCES "d"("id") ON DELETE no action ON UPDATE no action;
EXCEPTION WHEN duplicate_object THEN null;
END $$;`;
    expect(changed(block)).toBeUndefined();
  });

  it.each([
    ['ALTER TABLE a ALTER COLUMN b TYPE int USING b * 100', ['a']],
    ['ALTER TABLE a ALTER b SET DATA TYPE int USING b * 100', ['a']],
    ['DROP TABLE IF EXISTS a, "b" CASCADE', ['a', '"b"']],
    ['ALTER TABLE a DROP COLUMN IF EXISTS b', ['a']],
    ['ALTER TABLE ONLY (a) DROP COLUMN b', ['a']],
    ['DROP TABLE U&"d\\0061ta"', 'any'],
    ['DROP TABLE a, "b, c"', ['a', '"b, c"']],
    ['DROP TYPE a CASCADE', 'any'],
    ['ALTER SEQUENCE a_id_seq RESTART WITH 1', 'any'],
  ])('by a definition: %s', (sql, tables) => {
    expect(changed(sql)).toEqual(tables);
  });
});

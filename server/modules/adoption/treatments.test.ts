import { describe, expect, it } from 'vitest';
import { type Statement, splitStatements } from '../../platform/database/migrations/statements.ts';
import { makesTableWithRows, shapesSchema, treatmentOf } from './treatments.ts';

const one = (sql: string) => splitStatements(sql)[0] as Statement;

describe('statements', () => {
  it.each([
    ['CREATE TABLE a (n int)', 'compare'],
    ['create unlogged table a (n int)', 'compare'],
    ['CREATE UNIQUE INDEX CONCURRENTLY a ON b (c)', 'compare'],
    ['-- first\nALTER TABLE "a" ADD COLUMN "b" text', 'compare'],
    ['ALTER TYPE a ADD VALUE b', 'compare'],
    ['DROP MATERIALIZED VIEW a', 'compare'],
    ['CREATE TABLE IF NOT EXISTS a (n int)', 'run'],
    ["ALTER TABLE a ALTER b SET DEFAULT 'if not exists'", 'compare'],
    ['DROP TABLE IF EXISTS a', 'compare'],
    ['CREATE OR REPLACE VIEW a AS SELECT 1', 'run'],
    ['CREATE TEMPORARY TABLE a (n int)', 'run'],
    ['UPDATE a SET b = 1', 'run'],
    ['WITH x AS (SELECT 1) INSERT INTO a SELECT * FROM x', 'run'],
    ['DO $$ BEGIN CREATE TABLE a (); END $$', 'run'],
    ['GRANT SELECT ON a TO b', 'run'],
    ['CREATE FUNCTION a() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$', 'try'],
    ['CREATE CONSTRAINT TRIGGER a AFTER INSERT ON b EXECUTE FUNCTION c()', 'try'],
    ['CREATE EXTENSION citext', 'try'],
  ])('%s: %s', (sql, treatment) => {
    expect(treatmentOf(one(sql))).toBe(treatment);
  });

  it('have a part in the schema, or none', () => {
    for (const sql of ['create table a ()', 'DO $$ BEGIN END $$', 'alter function a() owner to b'])
      expect(shapesSchema(one(sql))).toBe(true);
    for (const sql of [
      'create role a',
      'create temp table a ()',
      'update a set b = 1',
      'alter system set a = 1',
    ])
      expect(shapesSchema(one(sql))).toBe(false);
  });

  it('may fill a table as they create it', () => {
    expect(makesTableWithRows(one('create table a as select 1'))).toBe(true);
    expect(makesTableWithRows(one('CREATE UNLOGGED TABLE "a" (b) AS WITH c AS (SELECT 1) TABLE c'))).toBe(
      true,
    );
    expect(makesTableWithRows(one(`create table a (b int generated always as (1) stored)`))).toBe(false);
  });
});

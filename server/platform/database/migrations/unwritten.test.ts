import { describe, expect } from 'vitest';
import { it } from '../../../../tests/support/migration-scene.ts';
import { migrationStatus } from './status.ts';

const TABLE = { '0000_table': 'CREATE TABLE a (n int);' };
/** As `npm run db:generate -- --custom` leaves it. */
const UNWRITTEN = { '0001_rows': '-- Custom SQL migration file, put your code below! --' };
const WRITTEN = { '0001_rows': `${UNWRITTEN['0001_rows']}\nINSERT INTO a VALUES (1);` };
const LATER = { '0002_later': 'CREATE TABLE b (n int);' };

describe.concurrent('a migration without a statement', () => {
  it('is not applied until it has one', async ({ scene }) => {
    await scene.write({ ...TABLE, ...UNWRITTEN });
    expect(await scene.run()).toMatchObject({ applied: ['0000_table'] });
    expect(scene.lines.join()).toContain('0001_rows');
    expect(await scene.run()).toMatchObject({ applied: [], alreadyApplied: 1 });
    expect((await migrationStatus(scene.options())).entries).toMatchObject([
      { name: '0000_table', state: 'applied' },
      { name: '0001_rows', state: 'unwritten' },
    ]);
    await scene.write({ ...TABLE, ...WRITTEN });
    expect(await scene.run()).toMatchObject({ applied: ['0001_rows'] });
    expect(await scene.sql('SELECT n FROM a')).toEqual([{ n: 1 }]);
  });

  it('is part of the history where a later one follows', async ({ scene }) => {
    await scene.write({ ...TABLE, ...UNWRITTEN, ...LATER });
    expect(await scene.run()).toMatchObject({ applied: ['0000_table', '0001_rows', '0002_later'] });
    expect(await scene.run()).toMatchObject({ applied: [], alreadyApplied: 3 });
  });
});
